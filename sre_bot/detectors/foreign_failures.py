r"""How clients and SDKs say that the other side fails: no answer, a broken connection, a server error, no service.

The words are those of the HTTP status codes (RFC 9110, 15.6; RFC 6585, 4), of the codes of gRPC
(https://grpc.github.io/grpc/core/md_doc_statuscodes.html), of the error codes of S3-like stores
(https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), of mail servers (RFC 5321, 4.2: 421 and 45x),
and of the usual HTTP clients. A client error (400, 401, 404 ...) is the caller's own fault and none of these.
"""

import re

_STATUS = r"(?:5(?:0[0-4789]|2\d|30)|429|408)"
_ANSWER = r"(?:status|code|http|responded|response|answer|return|repl|got|gave|with|fail|error)"
_SAYING = re.compile(
    rf"\b{_ANSWER}\w{{0,30}}\W{{0,4}}(?:\w{{1,40}}\W{{1,3}}){{0,2}}{_STATUS}\b(?!\s*m?s\b)"
    rf"|\bHTTP(?:/\d(?:\.\d)?)?\W{{1,2}}{_STATUS}\b"
    rf"|(?<![\w.:-]){_STATUS} (?:Internal|Server|Bad Gateway|Service|Gateway|Too Many|Request Time)"
    rf"|: {_STATUS}(?: |$)(?!\s*m?s\b)"
    rf"|\b(?:GET|POST|PUT|PATCH|DELETE|HEAD) https?://\S{{1,2000}} (?:HTTP/\S{{1,9}} )?{_STATUS}\b(?!\s*m?s\b)",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"timed? ?out|time-out|timeout(?!\s*[=:]\s*\d)|deadline exceeded|DEADLINE_EXCEEDED"
    r"|connection (?:was )?(?:refused|reset|aborted|closed|terminated|lost)|reset by peer|broken pipe"
    r"|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ESOCKETTIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|ENOTFOUND|EAI_AGAIN"
    r"|UND_ERR_\w+TIMEOUT|socket hang up|unexpected EOF|: EOF\b|premature(?:ly)? (?:EOF|clos\w+)"
    r"|no such host|NXDOMAIN|name or service not known|temporary failure in name resolution"
    r"|unknown ?host|could not resolve|not resolve|name does not resolve"
    r"|handshake (?:timeout|failure|failed|error)|SSL(?:Error|Exception|_ERROR\w*| handshake)|TLS handshake"
    r"|upstream connect error|no healthy upstream|upstream request timeout|unreachable"
    r"|code ?[=:] ?(?:Unavailable|DeadlineExceeded|ResourceExhausted|Internal)\b|\bUNAVAILABLE\b|RESOURCE_EXHAUSTED"
    r"|Service ?Unavailable|SlowDown|InternalError|InternalFailure|InternalServerError|RequestLimitExceeded|Throttl\w+"
    r"|TooManyRequests\w*|too many requests|rate.?limit(?:ed| exceeded| reached)|quota (?:exceeded|exhausted|reached)"
    r"|daily limit|bad gateway|gateway time-?out|(?:temporarily|currently) unavailable"
    r"|(?:is|service|api|provider|gateway) unavailable"
    r"|under maintenance|maintenance (?:mode|window)|max(?:imum)? retries exceeded|reached max retries"
    r"|retries exhausted"
    r"|circuit.?breaker\b[^\n]{0,60}\bopen|no (?:answer|response|reply)\b|does not (?:answer|respond)"
    r"|not (?:answering|responding)|\b503 (?:UF|UH|UC|UT|UO|URX|LR)\b"
    r"|read error|try again later|4[25][0-2][ -]4\.\d+\.\d+",
    re.IGNORECASE,
)
_OWN_FAULT = re.compile(
    rf"\b{_ANSWER}\w{{0,30}}\W{{0,4}}(?:\w{{1,40}}\W{{1,3}}){{0,2}}4(?:0[0-79]|1\d|2[0-8]|31|51)\b(?!\s*m?s\b)"
    r"|(?<![\w.:-])4(?:00 Bad|01 Unauth|03 Forb|04 Not|05 Meth|09 Conf|22 Unproc)|AccessDenied|InvalidAccessKeyId"
    r"|SignatureDoesNotMatch|NoSuchBucket|NoSuchKey|unauthori[sz]ed|UNAUTHENTICATED|PERMISSION_DENIED"
    r"|invalid (?:api )?(?:key|token|credentials)|authentication failed|unknown authority|self.signed",
    re.IGNORECASE,
)


def fails(text: str) -> bool:
    """Whether a log line tells that the other side of a call fails, and not that the call was wrong."""
    return bool(_SAYING.search(text) or _WORDS.search(text)) and not _OWN_FAULT.search(text)
