"""A hundred texts that would be executed or changed if they were not treated as data.

What runs leaves a file of the name CANARY in the folder that it runs in.
"""

from collections.abc import Iterator

CANARY = "canary"

_PYTHON = [
    "__import__('os').system('touch canary')",
    '"; import os; os.system("touch canary"); x = "',
    "'; import os; os.system('touch canary'); x = '",
    '"""; open("canary", "w"); """',
    "'''; open('canary', 'w'); '''",
    '"""\nopen("canary", "w")\n"""',
    "\\\"\"\"; open('canary', 'w') #",
    "\\",
    "\\\\",
    '\\"',
    "\\'",
    '"""',
    "'''",
    '""""',
    '"',
    "'",
    "\\N{BULLET}\\x41\\u0041\\101",
    "{open('canary', 'w')}",
    "{{open('canary', 'w')}}",
    "%(x)s %s %d %%",
    "{0.__class__.__mro__}",
    "# coding: utf-7",
    "# type: ignore",
    "# noqa\nimport os",
    "\nimport os\nos.system('touch canary')\n",
    "\r\nopen('canary', 'w')\r\n",
    "\topen('canary', 'w')",
    "\N{LINE SEPARATOR}open('canary', 'w')",
    "\N{PARAGRAPH SEPARATOR}open('canary', 'w')",
    "-*- coding: utf-16 -*-",
]
_JINJA = [
    "{{ 7 * 7 }}",
    "{{ cycler.__init__.__globals__.os.system('touch canary') }}",
    "{% set x = cycler.__init__.__globals__.os.system('touch canary') %}",
    "{% raw %}",
    "{% endraw %}{{ 7 * 7 }}",
    "{% include 'README.md' %}",
    "{% extends 'nothing' %}",
    "{# a comment",
    "#}{{ 7 * 7 }}",
    "{{ cookiecutter.project_slug }}",
    "{{ '{{' }}",
    "${7 * 7}",
    "<%! import os; os.system('touch canary') %>",
    "% import os\n",
    "## a comment of Mako",
]
_SHELL = [
    "$(touch canary)",
    "`touch canary`",
    "; touch canary",
    "| touch canary",
    "&& touch canary",
    "\ntouch canary\n",
    "$HOME ${PATH} $$ $(shell touch canary)",
    "$(eval $(shell touch canary))",
    "' ; touch canary ; '",
    '" ; touch canary ; "',
    "-rf /",
    "--help",
    "!!",
    "*",
    "~/.ssh",
]
_SQL = [
    "'; CREATE TABLE canary (); --",
    "'); DROP TABLE strings; --",
    "' OR '1'='1",
    "''",
    "$$; SELECT 1; $$",
    "$tag$ x $tag$",
    "E'\\x41'",
    ":name :1 ::text",
    "?",
    "%s",
    "-- a comment",
    "/* a comment",
    "nextval('x')",
    "now()",
    "NULL::text",
]
_MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!-- a comment",
    "]]>",
    "&lt;b&gt; &amp; &#65;",
    "[a](javascript:alert(1))",
    "![a](http://127.0.0.1:9/x.png)",
    "| a | table |\n|---|---|",
    "```\ncode\n```",
    "# A heading",
    "* * *",
    "| [x]: http://127.0.0.1:9/",
]
_FILES = [
    "key: !!python/object/apply:os.system ['touch canary']",
    "- &a [*a]",
    "%YAML 1.2\n---",
    "[tool.poetry]\nscripts = 1",
    '"]\nx = ["',
    "../../../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows\\con.py",
    "file:///etc/passwd",
    "\N{RIGHT-TO-LEFT OVERRIDE}sdrawkcab",
    "\N{ZERO WIDTH SPACE}\N{BYTE ORDER MARK}",
    "\N{PILE OF POO}\N{COMBINING ACUTE ACCENT}e\N{COMBINING ACUTE ACCENT}",
]
PAYLOADS = [*_PYTHON, *_JINJA, *_SHELL, *_SQL, *_MARKUP, *_FILES]
assert len(PAYLOADS) == len(set(PAYLOADS)) == 100


def strings(texts: list[str]) -> Iterator[dict[str, object]]:
    """An entity for each kind of text that a person may write, with these texts."""
    described = list(enumerate(texts))
    yield {
        "name": "Line",
        "fields": [
            {"name": f"a{n}", "type": "string", "default": text, "description": text}
            for n, text in described
        ],
    }
    yield {
        "name": "Choice",
        "fields": [
            {"name": f"a{n}", "type": "enum", "values": [text, "x"], "default": text}
            for n, text in described
        ],
    }
    yield {
        "name": "Document",
        "fields": [
            {"name": f"a{n}", "type": "json", "default": {text: [text]}}
            for n, text in described
        ],
    }
