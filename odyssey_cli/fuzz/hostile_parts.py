"""Parts of requests that no API of ours should stumble over: paths, queries, headers, texts."""

from __future__ import annotations

import base64
import json

from odyssey_cli.fuzz.hostile_json import TEXT, nested

MEGABYTE = 1024 * 1024
# What API Gateway takes; see odyssey_cli/openapi/gateway.py.
LARGEST_BODY = 10 * MEGABYTE

# In a path's parameter, as it is sent.
PATHS: dict[str, str] = {
    "dots": "..",
    "dots and a slash, encoded": "..%2F..%2Fetc%2Fpasswd",
    "dots, encoded": "%2e%2e",
    "dots, encoded twice": "%252e%252e%252f",
    "a slash, encoded": "a%2Fb",
    "a slash, encoded twice": "a%252Fb",
    "a backslash": "%5C",
    "NUL": "%00",
    "NUL within": "a%00b",
    "a line break": "a%0D%0AX-Injected:%20yes",
    "overlong slash": "%C0%AF",
    "not UTF-8": "%FF%FE",
    "a surrogate as bytes": "%ED%A0%80",
    "cut in a character": "%F0%9F%98",
    "an emoji": "%F0%9F%98%80",
    "an escape that is none": "%zz",
    "half an escape": "a%4",
    "percent alone": "%25",
    "a blank": "%20",
    "a plus": "a+b",
    "a semicolon": "a;b=c",
    "a question mark": "a%3Fb",
    "a hash": "a%23b",
    "a template": "%7B%7Bid%7D%7D",
    "a quote": "%27%20OR%201%3D1--",
    "a combining mark": "e%CC%81",
    "right to left": "%E2%80%AEtxet",
    "a thousand characters": "a" * 1_000,
    "two thousand characters": "a" * 2_000,
    "a word too long": "w" * 300,
    "words": "a%20b%20c",
    "the mark of a code, alone": "~",
    "a code that is none": "~%FF",
    "a code of no text": "~_w",
    "a number": "0",
    "a dash": "-",
}
# Behind a path's question mark, as it is sent; the second are for those who read some of it.
ANY_QUERIES: dict[str, str] = {
    "as a list": "limit[]=1",
    "an escape that is none": "limit=%zz",
    "not UTF-8": "limit=%FF&cursor=%C0%AF",
    "unknown fields": "a=1&__proto__=1&%24where=1",
    "an empty name": "=1&=",
    "a hundred fields": "&".join(f"a{n}={n}" for n in range(100)),
    "five thousand characters": "a=" + "b" * 5_000,
    "twenty thousand characters": "a=" + "b" * 20_000,
}
QUERIES: dict[str, str] = {
    "no value": "limit",
    "an empty value": "limit=&cursor=",
    "zero": "limit=0",
    "negative": "limit=-1",
    "a limit too high": "limit=101",
    "a huge limit": "limit=" + "9" * 400,
    "a fraction": "limit=1.5",
    "an exponent": "limit=1e2",
    "digits of another script": "limit=%D9%A1",
    "blanks": "limit=%201%20",
    "a sign": "limit=%2B1",
    "NUL": "limit=1%00",
    "twice": "limit=1&limit=2",
    "a cursor that is no base64": "cursor=%21",
    "a cursor that is no JSON": "cursor=AAAA",
    "a cursor of another shape": "cursor=" + base64.urlsafe_b64encode(b'{"a":1}').decode(),
    "a cursor that says true": "cursor="
    + base64.urlsafe_b64encode(json.dumps([True, "0" * 64]).encode()).decode(),
    "a cursor of a huge number": "cursor="
    + base64.urlsafe_b64encode(json.dumps([10**400, "0" * 64]).encode()).decode(),
    "a cursor that is nested": "cursor=" + base64.urlsafe_b64encode(nested(2_000)).decode(),
}
# Beside those of a good request.
HEADERS: dict[str, tuple[tuple[str, str], ...]] = {
    "a hundred headers": tuple((f"x-a{n}", "b") for n in range(100)),
    "a thousand headers": tuple((f"x-a{n}", "b") for n in range(1_000)),
    "a header of 8,000 characters": (("x-a", "b" * 8_000),),
    "a header of 100,000 characters": (("x-a", "b" * 100_000),),
    "a header with Latin letters": (("x-a", "åäö"),),
    "an empty header": (("x-a", ""),),
    "another method in a header": (("x-http-method-override", "DELETE"),),
    "what may be answered": (("accept", "text/html, */*;q=0"), ("accept-encoding", "br")),
    "a range": (("range", "bytes=0-1"), ("if-none-match", "*")),
    "somebody else's address": (("x-forwarded-for", "127.0.0.1, ::1"), ("forwarded", "for=x")),
}
# Names of a request that are none. What is left of blanks, the wire drops.
BAD_KEYS: dict[str, str] = {
    "with a blank": "a b",
    "too long": "k" * 256,
    "not ASCII": "é",
    "empty": "",
}
# JSON that is odd, but may pass.
ODD_JSON: dict[str, bytes] = {
    "minus zero": b'{"a":-0,"b":-0.0}',
    "the deepest": b'{"a":' * 30 + b"1" + b"}" * 30,
    "the largest integer": b'{"a":9007199254740991}',
    "NUL, escaped": b'{"a":"\\u0000"}',
    "names that other languages know": b'{"__proto__":{"a":1},"constructor":1,"$ref":"#"}',
    "names that DynamoDB knows": b'{"S":"a","NULL":true,"id":{"S":"x"}}',
    "an empty object": b"{}",
}
BAD_FORMS: dict[str, bytes] = {
    "nothing": b"",
    "no pairs": b"hello",
    "not UTF-8": b"text=%FF&trigger_id=1",
    "not ASCII": "text=é&trigger_id=1".encode(),
    "an overlong slash": b"text=%C0%AF&trigger_id=1",
    "a surrogate as bytes": b"text=%ED%A0%80&trigger_id=1",
    "raw bytes": b"\x00\xff\xfe",
    "a field twice": b"text=a&text=b&trigger_id=1",
    "fifty-one fields": b"&".join(b"a%d=1" % n for n in range(51)),
    "a hundred thousand fields": b"&".join([b"a=1"] * 50_000),
    "JSON": b'{"text":"a"}',
    "no trigger": b"command=%2Fcount&text=a",
    "an empty trigger": b"command=%2Fcount&text=a&trigger_id=",
    "a trigger with a blank": b"command=%2Fcount&text=a&trigger_id=a+b",
    "a trigger with a line break": b"command=%2Fcount&text=a&trigger_id=a%0Ab",
    "a text too long": b"command=%2Fcount&trigger_id=1&text=" + b"a+" * 2_001,
    "a word too long": b"command=%2Fcount&trigger_id=1&text=" + b"w" * 257,
    "words too many": b"command=%2Fcount&trigger_id=1&text="
    + b"+".join(b"%d" % n for n in range(501)),
}
# In place of any text of a good body.
TEXTS: dict[str, str] = {
    "nothing": "",
    "a blank": " ",
    "NUL": "\0",
    "controls": "\x01\x1f\x7f\x85\u2028\ufeff",
    "what is no character": "\uffff\ufdd0\U0010ffff",
    "every kind": TEXT,
    "right to left": "\u202etxet\u202c \u0627\u0644",
    "a heap of marks": "a" + "\u0301" * 2_000,
    "letters that grow when they are folded": "\u0390\u0130\ufb03" * 700,
    "invisible": "\u200b\u2060\u00ad",
    "families": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 50,
    "ten thousand characters": "x" * 10_000,
    "a thousand words": " ".join(map(str, range(1_000))),
    "sixty thousand bytes": "é" * 30_000,
    "a path": "../../etc/passwd",
    "markup": "<@U1> <!here> <https://x|y> &lt;&amp;&#0; <script>",
    "unclosed markup": "<" * 3_000,
    "a formula": "=1+1",
    "an expression": "${jndi:ldap://x} {{7*7}} $(id)",
    "a number": "9" * 400,
    "digits of another script": "\uff12\uff10\u0662",
    "a date": "2026-11-21",
    "a day that is none": "2026-02-30T00:00:00Z",
    "midnight at the end": "2026-11-21T24:00:00Z",
    "a leap second": "2026-12-31T23:59:60Z",
    "a time in another script": "\uff12\uff10\uff12\uff16-11-21T00:00:00Z",
    "before the first year": "0001-01-01T00:00:00+23:59",
    "after the last": "9999-12-31T23:59:59-23:59",
    "no year": "0000-01-01T00:00:00Z",
    "an offset that is none": "2026-11-21T12:00:00+99:99",
    "a fraction without end": "2026-11-21T12:00:00." + "1" * 400 + "Z",
}
