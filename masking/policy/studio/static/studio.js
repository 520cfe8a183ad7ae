// What HTML cannot do by itself: a case from a selection, the number beside the slider, a jump to a wrong line.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);

  function selected() {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed || selection.rangeCount !== 1) return null;
    const range = selection.getRangeAt(0);
    const element = range.commonAncestorContainer;
    const sheet = (element.nodeType === 1 ? element : element.parentElement)?.closest("[data-message]");
    const value = selection.toString();
    return sheet && value.trim() ? { value, sheet } : null;
  }

  document.addEventListener("selectionchange", () => {
    const bar = byId("selection");
    if (!bar) return;
    const found = selected();
    if (!found) {
      if (!bar.contains(document.activeElement)) bar.hidden = true;
      return;
    }
    bar.hidden = false;
    const shown = byId("selected");
    shown.textContent = found.value.length > 40 ? found.value.slice(0, 39) + "…" : found.value;
    shown.dataset.value = found.value;
    shown.dataset.text = found.sheet.textContent;
  });

  // Buttons in a selection's bar must not take the selection away before they are read.
  document.addEventListener("mousedown", (event) => {
    if (event.target.closest?.("#selection")) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#should-mask, #should-keep");
    if (!button) return;
    const shown = byId("selected");
    const { value, text } = shown.dataset;
    byId("case-form").open = true;
    byId("case-value").value = value;
    byId("case-text").value = around(text, value);
    document.querySelector(`[name=case-expect][value=${button.id === "should-mask" ? "mask" : "keep"}]`).checked = true;
    byId("selection").hidden = true;
    byId("case-id").focus();
  });

  // The paragraph that holds the value: a case is read by people.
  function around(text, value) {
    const at = text.indexOf(value);
    if (text.length <= 400 || at < 0) return text;
    const first = text.lastIndexOf("\n", at) + 1;
    const last = text.indexOf("\n", at + value.length);
    return text.slice(first, last < 0 ? text.length : last);
  }

  document.addEventListener("input", (event) => {
    if (event.target.id === "cut") byId("cut-said").textContent = event.target.value;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form?.id === "work") {
      event.preventDefault();
      document.querySelector("#work button.primary")?.click();
    }
  });

  // Browsers offer no way to show a line of a textarea but to select it.
  function showLine() {
    const rules = document.querySelector("textarea[data-line]");
    if (!rules || rules.dataset.shown) return;
    rules.dataset.shown = "yes";
    const lines = rules.value.split("\n");
    const line = Math.min(Number(rules.dataset.line), lines.length);
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    rules.setSelectionRange(start, start + lines[line - 1].length);
    rules.scrollTop = Math.max(0, (line - 4) * (rules.scrollHeight / lines.length));
  }
  // A request that another one replaced is no failure.
  document.addEventListener("htmx:error", (event) => {
    if (event.detail?.error?.name === "AbortError") return;
    const lost = byId("lost");
    lost.textContent = lost.dataset.said;
    lost.hidden = false;
  });
  document.addEventListener("htmx:after:swap", () => { byId("lost").hidden = true; });
  document.addEventListener("DOMContentLoaded", showLine);
  document.addEventListener("htmx:after:swap", showLine);
})();
