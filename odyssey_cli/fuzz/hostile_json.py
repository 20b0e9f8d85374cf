"""Bodies that no JSON API of ours takes, by what is wrong with them."""

from __future__ import annotations

TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"


def nested(depth: int) -> bytes:
    """Return an object in lists, `depth` levels in all."""
    return b"[" * (depth - 1) + b"{}" + b"]" * (depth - 1)


NOT_UTF8 = {
    "latin-1": TEXT.replace("😀", "").encode("latin-1"),
    "a byte that UTF-8 never has": b'{"a":"\xff"}',
    "overlong slash": b'{"a":"\xc0\xaf"}',
    "overlong NUL": b'{"a":"\xc0\x80"}',
    "surrogate as bytes": b'{"a":"\xed\xa0\x80"}',
    "a character beyond the last": b'{"a":"\xf4\x90\x80\x80"}',
    "cut in a character": '{"a":"😀"}'.encode()[:-3],
    "utf-16": '{"a":1}'.encode("utf-16"),
    "utf-32": '{"a":1}'.encode("utf-32"),
}
NOT_JSON = {
    "nothing": b"",
    "blank": b" \n",
    "cut": b'{"a":',
    "single quotes": b"{'a':1}",
    "comma at the end of an object": b'{"a":1,}',
    "comma at the end of a list": b"[1,]",
    "more after the end": b'{"a":1} {"b":2}',
    "leading zero": b'{"a":01}',
    "leading plus": b'{"a":+1}',
    "no digit before the point": b'{"a":.5}',
    "no digit after the point": b'{"a":1.}',
    "hexadecimal": b'{"a":0x10}',
    "raw line break in a text": b'{"a":"\n"}',
    "raw NUL in a text": b'{"a":"\0"}',
    "NUL after the end": b'{"a":1}\0',
    "unknown escape": b'{"a":"\\x41"}',
    "comment": b'{"a":1} // one',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "utf-7": b"+AHsAIgBhACIAOgAxAH0-",
    "utf-16 without a mark": '{"a":1}'.encode("utf-16-be"),
    "a word": b"undefined",
    "form data": b"a=1&b=2",
    "base64 of JSON": b"eyJhIjoxfQ==",
}
NOT_CARRIED = {
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":[-Infinity]}',
    "a field twice": b'{"a":1,"b":2,"a":1}',
    "a field twice, deeper": b'{"x":[{"a":1,"a":2}]}',
    "a field twice, once escaped": b'{"a":1,"\\u0061":2}',
    "a long field twice": b'{"%s":1,"%s":2}' % (b"a" * 30_000, b"a" * 30_000),
    "an unprintable field twice": b'{"\\ud800":1,"\\ud800":2}',
    "a field without a name": b'{"":1}',
    "a field without a name, deeper": b'{"a":[{"":1}]}',
    "a name a byte too long": b'{"%s":1}' % (b"a" * 1_025),
    "a name a byte too long, deeper": b'[{"a":{"%s":1}}]' % (b"a" * 1_025),
    "a name too long in bytes alone": b'{"%s":1}' % ("é" * 513).encode(),
    "2^53": b'{"a":9007199254740992}',
    "-2^53": b'{"a":-9007199254740992}',
    "an integer of 400 digits": b'{"a":1' + b"0" * 400 + b"}",
    "an integer of 60,000 digits": b'{"a":' + b"9" * 60_000 + b"}",
    "a double's overflow": b'{"a":1e400}',
    "a double's underflow": b'{"a":1e-400}',
    "a negative underflow": b'{"a":-0.' + b"0" * 400 + b"1}",
    "above DynamoDB's largest": b'{"a":1e126}',
    "below DynamoDB's smallest": b'{"a":9.9e-131}',
    "below DynamoDB's smallest, negative": b'{"a":-9.9e-131}',
    "a lone high surrogate": b'{"a":"\\ud83d"}',
    "a lone low surrogate": b'{"a":["x\\ude00"]}',
    "a pair the wrong way round": b'{"a":"\\ude00\\ud83d"}',
    "a lone surrogate in a name": b'{"a":{"\\ud83d":1}}',
    "a level too deep": nested(31),
    "64 KiB of lists": b"[" * 65_536,
    "64 KiB of objects": b'{"a":' * 13_107,
}
BAD = {**NOT_UTF8, **NOT_JSON, **NOT_CARRIED}
# JSON, and no object.
NO_OBJECTS = {f"the JSON {text}": text.encode() for text in ("null", "true", "1", '"a"', "[]")}
BAD_CONTENT_TYPES = [None, "", "text/plain", "application/x-www-form-urlencoded"]
