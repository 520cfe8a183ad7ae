"""Every sentence of the page, in English and Chinese."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["LANGUAGES", "MESSAGES", "language", "translator"]

LANGUAGES = ("en", "zh")

MESSAGES: dict[str, tuple[str, str]] = {
    "tag": ("en", "zh-Hans"),
    "product": ("Policy studio", "策略工作台"),
    "studio": ("policy studio", "策略工作台"),
    "skip": ("Skip to content", "跳到正文"),
    "pages": ("Pages", "页面"),
    "page.inspect": ("Try", "试用"),
    "page.suites": ("Suites", "测试集"),
    "page.compare": ("Compare", "比较"),
    "page.coverage": ("Coverage", "覆盖"),
    "theme": ("Appearance", "外观"),
    "theme.auto": ("Auto", "自动"),
    "theme.light": ("Light", "浅色"),
    "theme.dark": ("Dark", "深色"),
    "language": ("Language", "语言"),
    "local": (
        "Everything on this page stays on this machine and in memory. Only a case that you add to a suite is written.",
        "本页的一切只留在本机内存中；只有您加入测试集的用例会写入文件。",
    ),
    "lost": (
        "The studio does not answer. Is the command still running? What you see may be old.",
        "工作台没有响应。命令还在运行吗？当前内容可能已过时。",
    ),
    "forget": ("Forget what I entered", "清除我输入的内容"),
    "refused.title": ("This request was refused", "请求被拒绝"),
    "refused.again": ("Open the page again", "重新打开页面"),
    "refused.remote": (
        "The studio serves this machine only; the request came from another one, or through a proxy.",
        "工作台只为本机服务；该请求来自其他机器，或经过了代理。",
    ),
    "refused.host": (
        "The address in the browser is not one of this machine's. Open the studio as http://127.0.0.1 with its port.",
        "浏览器中的地址不是本机地址。请用 http://127.0.0.1 加端口打开工作台。",
    ),
    "refused.key": (
        "This browser has not shown the key. Open the link that the command printed when it started.",
        "此浏览器尚未出示密钥。请打开命令启动时打印的链接。",
    ),
    "refused.origin": (
        "The request was sent by another site, so nothing was done.",
        "该请求由其他网站发出，未执行任何操作。",
    ),
    "refused.token": (
        "The page is older than the running studio. Open it again and repeat the step.",
        "页面早于正在运行的工作台。请重新打开后再试。",
    ),
    "refused.size": (
        "What was sent is larger than 16 MiB. Use `masking policy` on the command line for large files.",
        "发送的内容超过 16 MiB。大文件请使用命令行 `masking policy`。",
    ),
    "refused.form": ("The form cannot be read.", "无法读取该表单。"),
    "refused.missing": ("There is no such page.", "没有这个页面。"),
    "refused.failed": (
        "The studio failed at this step, and nothing was changed. The terminal says more.",
        "工作台在这一步出错，没有更改任何内容。终端中有更多信息。",
    ),
    # Trying a category
    "inspect.title": ("What does this category do?", "这个类别会做什么？"),
    "inspect.about": (
        "Paste a text or a chat log. See what is found and why, what leaves, and how an answer comes back.",
        "粘贴一段文本或对话记录，查看发现了什么、为什么、发出什么，以及回答如何还原。",
    ),
    "category": ("Category", "类别"),
    "own": ("yours", "自有"),
    "names": ("Find names with the models", "用模型识别姓名"),
    "text": ("Text or chat log", "文本或对话记录"),
    "text.placeholder": (
        "Plain text, a chat in JSON, or a log in JSONL",
        "纯文本、JSON 对话，或 JSONL 对话记录",
    ),
    "text.hint": (
        "Up to {kib} KiB. The result follows as you type; Ctrl+Enter checks at once.",
        "最多 {kib} KiB。结果随输入更新；按 Ctrl+Enter 立即检查。",
    ),
    "check": ("Check", "检查"),
    "upload": ("Choose a file", "选择文件"),
    "example": ("Insert an example", "填入示例"),
    "too.long": (
        "The text has {size} KiB; this page takes {kib}. Use `masking scan` on the command line for larger files.",
        "文本有 {size} KiB，本页上限为 {kib} KiB。更大的文件请使用命令行 `masking scan`。",
    ),
    "results": ("Results", "结果"),
    "empty": ("Nothing to show yet.", "还没有内容。"),
    "empty.hint": (
        "Type or paste a text on the left, choose a file, or insert the example.",
        "请在左侧输入或粘贴文本、选择文件，或填入示例。",
    ),
    "count": ("{n} found", "发现 {n} 处"),
    "kinds": ("Kinds found", "发现的种类"),
    "conversation": ("Conversation", "对话"),
    "of.conversation": ("in conversation {number} of {total}", "（第 {number} 个对话，共 {total} 个）"),
    "status": ("{n} found in {messages} texts.", "在 {messages} 段文本中发现 {n} 处。"),
    "views": ("View", "视图"),
    "view.findings": ("Findings", "发现"),
    "view.masked": ("Masked text", "脱敏文本"),
    "view.wire": ("What the model sees", "模型所见"),
    "view.answer": ("The answer", "回答"),
    "findings": ("Findings", "发现"),
    "value": ("Value", "值"),
    "becomes": ("Becomes", "替换为"),
    "rule": ("Rule", "规则"),
    "score": ("Score", "分数"),
    "why": ("Why", "原因"),
    "outcome": ("Outcome", "结果"),
    "outcome.partly": ("partly", "部分"),
    "outcome.lost": ("lost", "让位"),
    "outcome.refused": ("refused", "未通过"),
    "nearly": ("Considered and left: {n}", "考虑过但未采用：{n}"),
    "nearly.title": ("Considered and left", "考虑过但未采用"),
    "nearly.about": (
        "Rules that matched here, and what spoke against them: a better finding, a boundary, a check, a context word.",
        "在此匹配过的规则，以及未采用的原因：更好的发现、边界、校验或上下文词。",
    ),
    "not.explained": (
        "Reasons are worked out for up to {n} characters at a time.",
        "每次最多为 {n} 个字符给出原因。",
    ),
    "role.user": ("User", "用户"),
    "role.assistant": ("Assistant", "助手"),
    "role.system": ("System", "系统"),
    "role.developer": ("Developer", "开发者"),
    "role.tool": ("Tool", "工具"),
    "placeholder": ("Placeholder", "占位符"),
    "table": ("Placeholders and values", "占位符与值"),
    "table.about": (
        "This table is the session. It never leaves with the text.",
        "此表即会话，绝不随文本发出。",
    ),
    "wire.about": (
        "The messages of the request, as the model's API gets them.",
        "请求中的消息，即模型接口收到的内容。",
    ),
    "wire.refused": ("The request would be refused, so nothing would leave:", "该请求会被拒绝，不会发出任何内容："),
    "names.off": (
        "Names, places and addresses that only a model finds are not found: {why}",
        "仅靠模型才能识别的姓名、地点与地址不会被发现：{why}",
    ),
    # The answer
    "answer.about": (
        "What the model says arrives in pieces. Placeholders are restored, new personal data is redacted; "
        "text waits only while it can still become either.",
        "模型的回答分片到达：占位符被还原，新的个人信息被遮盖；只有仍可能成为二者之一的文本才会等待。",
    ),
    "answer.text": ("The model's answer (empty: it quotes what it was sent)", "模型的回答（留空则引用收到的内容）"),
    "cut": ("Characters in a piece", "每片字符数"),
    "trace.same": ("Equal to the answer restored in one piece.", "与整段还原的结果一致。"),
    "trace.other": ("Differs from the answer restored in one piece.", "与整段还原的结果不一致。"),
    "trace.most": ("At most {n} characters waited.", "最多有 {n} 个字符等待。"),
    "trace.reads": ("The caller reads", "调用方读到"),
    "trace.steps": ("Piece by piece", "逐片"),
    "trace.arrives": ("Arrives", "到达"),
    "trace.leaves": ("Goes out", "发出"),
    "trace.waits": ("Waits", "等待"),
    "trace.end": ("(end)", "（结束）"),
    "trace.long": ("Only the first {n} characters are shown.", "仅显示前 {n} 个字符。"),
    # Editing
    "edit": ("Edit a copy of the rules", "编辑规则副本"),
    "edited": ("{n} edited", "已编辑 {n} 个"),
    "edit.about": (
        "Changes live on this page only: the files on disk stay as they are.",
        "更改只在本页有效，磁盘上的文件不变。",
    ),
    "edit.file": ("File", "文件"),
    "edit.mark": ("edited", "已编辑"),
    "edit.open": ("Open", "打开"),
    "edit.apply": ("Apply", "应用"),
    "edit.revert": ("Back to the original", "恢复原样"),
    "edit.download": ("Download", "下载"),
    "edit.compare": ("Compare with the original", "与原版比较"),
    "fault": ("{file}, line {line}", "{file}，第 {line} 行"),
    "fault.near": ("The lines around the mistake", "出错处附近的行"),
    "proof.hold": (
        "The edited rules load, and all their examples hold.",
        "编辑后的规则可以加载，其示例全部成立。",
    ),
    "proof.fail": ("{n} examples of the edited rules do not hold", "编辑后的规则有 {n} 个示例不成立"),
    # Cases
    "case": ("Keep it as a case", "保存为用例"),
    "case.open": ("Write a case for a suite", "为测试集写一个用例"),
    "case.about": (
        "Select a passage above, or write one here. The file will hold this text as it stands: use invented data.",
        "可在上方选取一段，或在此填写。文件会原样保存该文本，请使用虚构数据。",
    ),
    "case.text": ("Text of the case", "用例文本"),
    "case.value": ("Passage", "片段"),
    "case.entity": ("As", "种类"),
    "case.any": ("any entity", "任意种类"),
    "case.expect": ("What should happen to it", "应当如何处理"),
    "case.mask": ("Should be masked", "应当脱敏"),
    "case.keep": ("Should be kept", "应当保留"),
    "case.id": ("Name of the case", "用例名称"),
    "case.file": ("Suite file", "测试集文件"),
    "case.add": ("Add to the suite", "加入测试集"),
    "case.preview": ("Show as YAML", "显示为 YAML"),
    "case.no.folder": (
        "To write cases to files, start the studio with a folder: masking policy studio ./policies",
        "要写入文件，请在启动时指定文件夹：masking policy studio ./policies",
    ),
    "case.added": ("Added {id} to {file}.", "已将 {id} 加入 {file}。"),
    "case.holds": ("The category as it is here does what the case asks.", "按此处的类别，该用例成立。"),
    "case.fails": ("The category as it is here does not do that yet: {why}.", "按此处的类别，该用例尚不成立：{why}。"),
    "case.nameless": ("give the case a name, such as mobile-in-brackets", "请为用例命名，例如 mobile-in-brackets"),
    "keep": ("Case…", "用例…"),
    "keep.this": ("Write a case: finding {n} should be kept", "写用例：第 {n} 处应当保留"),
    # Suites
    "suites.title": ("Do the categories keep their promises?", "类别是否信守承诺？"),
    "suites.about": (
        "Run a suite of cases. Every case runs as text, as a stream cut at many places, as an answer, as JSON and as a "
        "tool call.",
        "运行一个测试集。每个用例都会以文本、在多处切开的流、回答、JSON 与工具调用的形式运行。",
    ),
    "suites.list": ("Suites", "测试集"),
    "suites.empty": ("There is no suite yet. Write cases on the first page.", "还没有测试集。请在第一页编写用例。"),
    "suites.cases": ("cases: {n}", "{n} 个用例"),
    "suites.run": ("Run", "运行"),
    "suites.run.one": ("Run {name}", "运行 {name}"),
    "suites.edited": ("Use my edited copy of {name}", "使用我编辑过的 {name}"),
    "suites.busy": ("The cases are running…", "正在运行用例……"),
    "suites.report": ("Report", "报告"),
    "suites.none": ("No suite has been run yet.", "尚未运行任何测试集。"),
    "suites.good": ("Every case holds.", "所有用例均成立。"),
    "suites.bad": ("Some cases do not hold.", "有用例不成立。"),
    "suites.said": (
        "{passed} passed, {failed} failed, {gap} known gaps, {closed} closed gaps.",
        "通过 {passed}，失败 {failed}，已知缺口 {gap}，已关闭缺口 {closed}。",
    ),
    "suites.more": ("and {n} more", "另有 {n} 项"),
    "suites.closed": (
        "Known gaps that are none any more: leave `known_gap` out.",
        "已不再是缺口：请删去 `known_gap`。",
    ),
    "suites.version": ("{rules} rules, fingerprint {digest}", "{rules} 条规则，指纹 {digest}"),
    "suites.take": ("Take the report away, without values:", "下载报告（不含值）："),
    "suites.take.html": ("For an auditor, with the cases' texts:", "供审计使用（含用例文本）："),
    "status.passed": ("passed", "通过"),
    "status.failed": ("failed", "失败"),
    "status.gap": ("known gaps", "已知缺口"),
    "status.closed": ("closed gaps", "已关闭缺口"),
    "lane.text": ("as text", "文本"),
    "lane.stream": ("as a stream", "流"),
    "lane.answer": ("as an answer", "回答"),
    "lane.json": ("as JSON", "JSON"),
    "lane.events": ("as events", "事件流"),
    "lane.tool": ("as a tool call", "工具调用"),
    "lane.labelled": ("in a labelled file", "标注文件"),
    "variant.fullwidth": ("full-width", "全角"),
    "variant.spaced": ("spaced", "加空格"),
    "variant.zero_width": ("with zero-width characters", "含零宽字符"),
    "variant.newline": ("with line breaks", "含换行"),
    "variant.case": ("in another case", "大小写变化"),
    # Comparing
    "compare.title": ("What changes between two versions?", "两个版本之间有什么变化？"),
    "compare.about": (
        "Both versions read the same texts. Places where they differ are counted; values are hidden unless you ask.",
        "两个版本读取同样的文本，统计其不同之处；除非您要求，否则不显示值。",
    ),
    "compare.old": ("Before", "之前"),
    "compare.new": ("After", "之后"),
    "compare.edited": ("edited here", "此处编辑"),
    "compare.no.edits": (
        "Edit a copy of a category on the first page, and it can be chosen here.",
        "在第一页编辑类别副本后，可在此选择。",
    ),
    "compare.corpus": ("Texts to compare on", "用于比较的文本"),
    "compare.text": ("The text of the first page", "第一页的文本"),
    "compare.examples": ("The examples beside the rules", "规则旁的示例"),
    "compare.file": ("A file", "文件"),
    "compare.upload": ("File of texts or chats, up to 16 MiB", "文本或对话文件，最大 16 MiB"),
    "compare.reveal": ("Show the values in samples", "在样例中显示值"),
    "compare.go": ("Compare", "比较"),
    "compare.busy": ("Both versions are reading…", "两个版本正在读取……"),
    "compare.differences": ("Differences", "差异"),
    "compare.none": ("Nothing has been compared yet.", "尚未比较。"),
    "compare.nothing": ("There is no text to compare on; choose another.", "没有可比较的文本，请另选。"),
    "compare.said": ("{n} of {texts} texts are read differently.", "{texts} 段文本中有 {n} 段读法不同。"),
    "compare.same": ("Both versions find the same.", "两个版本的发现相同。"),
    "compare.part": (
        "This took too long, so only the first texts were read. Use `masking policy diff` for the whole corpus.",
        "耗时过长，仅读取了前面的文本。完整语料请使用 `masking policy diff`。",
    ),
    "compare.rules.added": ("Rules added", "新增规则"),
    "compare.rules.removed": ("Rules removed", "移除规则"),
    "compare.rules.changed": ("Rules changed", "修改规则"),
    "compare.change": ("Change", "变化"),
    "compare.before": ("Before", "之前"),
    "compare.after": ("After", "之后"),
    "compare.count": ("Count", "次数"),
    "compare.samples": ("Samples", "样例"),
    "change.appears": ("appears", "出现"),
    "change.vanishes": ("vanishes", "消失"),
    "change.entity": ("another kind", "种类不同"),
    "change.operator": ("another replacement", "替换方式不同"),
    "change.extent": ("another extent", "范围不同"),
    "place.line": ("line {n}", "第 {n} 行"),
    "place.conversation": ("conversation {n}", "第 {n} 个对话"),
    # Coverage
    "coverage.title": ("Which obligations does a category meet?", "类别满足哪些合规要求？"),
    "coverage.about": (
        "Laws and standards name kinds of data. Here is which rule finds each, how many cases test it, and what is not "
        "covered.",
        "法律与标准列出了各类数据。此处列出识别它们的规则、测试用例数量以及未覆盖之处。",
    ),
    "coverage.show": ("Show", "显示"),
    "coverage.count": ("Run the suites and count", "运行测试集并统计"),
    "coverage.item": ("Item", "项目"),
    "coverage.source": ("Source", "出处"),
    "coverage.state": ("Covered", "覆盖"),
    "coverage.rules": ("Rules", "规则"),
    "coverage.cases": ("Cases", "用例"),
    "coverage.gap": ("Known gap", "已知缺口"),
    "coverage.lacking": ("no rule for {what}", "无规则：{what}"),
    "coverage.untested": ("untested", "未测试"),
    "coverage.none": ("No obligations are described yet.", "尚无合规要求的描述。"),
    "state.covered": ("covered", "已覆盖"),
    "state.partly": ("partly", "部分覆盖"),
    "state.no": ("not covered", "未覆盖"),
}


def translator(lang: str) -> Callable[..., str]:
    """`t(key, **values)` in a language; a key that the table lacks is an error of ours and raises KeyError."""
    column = LANGUAGES.index(lang)

    def translate(key: str, **values: object) -> str:
        said = MESSAGES[key][column]
        return said.format(**values) if values else said

    return translate


def language(accepted: str) -> str:
    """The language that an Accept-Language header prefers (RFC 9110 §12.5.4), English where it names neither."""
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.partition("q=")[2] or 1)
        except ValueError:
            weight = 0.0
        ranked.append((-weight, place, tag.strip().lower().partition("-")[0]))
    return next((tag for weight, _, tag in sorted(ranked) if tag in LANGUAGES and weight < 0), "en")
