"""Policies as their owners see them: suites of cases, lints, differences, coverage, reports and a page.

suite        what a suite file says
variant      other ways of writing a value
run          one case, one suite, many suites -> results
report       what a run came to, as text, JSON, JUnit, SARIF or HTML
lint         rule files held to their examples and to each other
difference   two versions of a category over a corpus
coverage     which rule covers which obligation, tested by how many cases
mutation     whether the suites notice a rule that is broken
plugin       suites as tests of pytest
"""
