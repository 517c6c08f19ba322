"""Stack traces as run-times and servers print them: which file and line failed, and what is no failure of one's own."""

import textwrap

import pytest

from sre_bot.detectors.traces import traces
from sre_bot.domain.finding import FaultKind
from tests.clusters import app, container, found, log, snapshot

PRINTED = {
    "a Go handler's panic that the server caught": (
        """\
        2026/03/10 11:58:02 http: panic serving 10.2.0.7:41122: runtime error: index out of range [4] with length 4
        goroutine 91 [running]:
        net/http.(*conn).serve.func1()
        \t/usr/local/go/src/net/http/server.go:1898 +0xbe
        panic({0x70aa20?, 0xc0000282d0?})
        \t/usr/local/go/src/runtime/panic.go:770 +0x132
        example.com/parcels/internal/rates.(*Table).Zone(0xc000130000, 0x4)
        \t/src/internal/rates/table.go:57 +0x9c
        main.quote({0x7d1b80, 0xc0001c4000}, 0xc0001b2000)
        \t/src/main.go:33 +0x6d""",
        "table.go:57",
    ),
    "a panic that gin recovered from": (
        """\
        2026/03/10 11:58:02 [Recovery] 2026/03/10 - 11:58:02 panic recovered:
        GET /v1/quote HTTP/1.1
        Host: parcels:8080

        runtime error: invalid memory address or nil pointer dereference
        /usr/local/go/src/runtime/panic.go:261 (0x44c5d7)
        \tpanicmem: panic(memoryError)
        /src/internal/rates/table.go:57 (0x6d1e2a)
        \t(*Table).Zone: return t.zones[code].Price""",
        "table.go:57",
    ),
    "an old Rust panic": (
        "thread 'tokio-runtime-worker' panicked at 'no zone for 4', src/rates.rs:57:19",
        "rates.rs:57",
    ),
    "a Rust panic": (
        """\
        thread 'tokio-runtime-worker' panicked at src/rates.rs:57:19:
        index out of bounds: the len is 4 but the index is 4
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace""",
        "rates.rs:57",
    ),
    "an error that Rails caught": (
        """\
        F, [2026-03-10T11:58:02.114201 #1] FATAL -- : [5b1c] NoMethodError (undefined method `price' for nil:NilClass):
        [5b1c]
        [5b1c] app/models/rate_table.rb:57:in `zone'
        [5b1c] app/controllers/quotes_controller.rb:12:in `show'""",
        "rate_table.rb:57",
    ),
    "an error that Laravel caught": (
        '[2026-03-10 11:58:02] production.ERROR: Undefined array key 4 {"exception":"[object] (ErrorException(code: 0):'
        " Undefined array key 4 at /var/www/html/app/Rates/Table.php:57)\\n[stacktrace]\\n#0"
        ' /var/www/html/app/Http/QuoteController.php(33): App\\\\Rates\\\\Table->zone()"}',
        "Table.php:57",
    ),
    "a fatal error of PHP-FPM": (
        """\
        NOTICE: PHP message: PHP Fatal error:  Uncaught App\\Rates\\NoZone: no zone 4 in /app/src/Rates/Table.php:57
        Stack trace:
        #0 /app/src/Quote.php(33): App\\Rates\\Table->zone(4)
        #1 {main}""",
        "Table.php:57",
    ),
    "a release build of .NET without symbols": (
        """\
        fail: Microsoft.AspNetCore.Server.Kestrel[13]
              System.NullReferenceException: Object reference not set to an instance of an object.
                 at Parcels.Rates.RateTable.Zone(Int32 code)
                 at Microsoft.AspNetCore.Routing.EndpointMiddleware.Invoke(HttpContext httpContext)""",
        "RateTable.cs:0",
    ),
    "a stack in a line of JSON from .NET": (
        '{"@t":"2026-03-10T11:58:02Z","@l":"Error","@x":"System.InvalidCastException: Specified cast is not valid.\\n'
        '   at Parcels.Rates.RateTable.Zone(Int32 code) in /src/Rates/RateTable.cs:line 57\\n"}',
        "RateTable.cs:57",
    ),
    "a stack in a line of JSON from Node": (
        '{"level":50,"time":1773143882114,"err":{"type":"TypeError","stack":"TypeError: Cannot read properties of'
        " undefined (reading 'price')\\n    at zone (/app/dist/rates.js:57:19)\\n    at"
        ' process.processTicksAndRejections (node:internal/process/task_queues:95:5)"},"msg":"request failed"}',
        "rates.js:57",
    ),
    "an Elixir process that ended": (
        """\
        11:58:02.114 [error] GenServer Parcels.Rates terminating
        ** (KeyError) key 4 not found in: %{1 => 3, 2 => 5}
            (stdlib 5.2) :maps.get(4, %{1 => 3, 2 => 5})
            (parcels 1.4.0) lib/parcels/rates.ex:57: Parcels.Rates.zone/1""",
        "rates.ex:57",
    ),
    "a cause below a Java error": (
        """\
        2026-03-10 11:58:02.114 ERROR 1 --- [nio-8080-exec-3] o.a.c.c.C.[.[.[/].[dispatcherServlet] : Servlet.service()
        java.lang.IllegalStateException: no quote
        \tat com.parcels.quote.QuoteController.show(QuoteController.java:33)
        \tat org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:1089)
        Caused by: java.lang.ArrayIndexOutOfBoundsException: Index 4 out of bounds for length 4
        \tat com.parcels.rates.RateTable.zone(RateTable.java:57)
        \t... 41 more""",
        "RateTable.java:57",
    ),
}


@pytest.mark.parametrize("form", PRINTED)
def test_the_innermost_frame_of_the_programs_own_code_is_found(form: str) -> None:
    text, place = PRINTED[form]
    read = [
        f"{trace.own[0].file.rsplit('/', 1)[-1]}:{trace.own[0].line}"
        for trace in traces(f"{textwrap.dedent(text)}\n")
        if trace.own
    ]
    assert place in read


@pytest.mark.parametrize(
    "text",
    [
        'goroutine profile: total 41\n1 @ 0x43 0x44\n#\t0x43\tmain.main+0x1f\t/src/main.go:20\n"panic" is a word',
        "2026-03-10T11:58:02Z INFO docs: see app/models/rate_table.rb:57:in `zone'",
        "WARN handled: rate.php line 57 has no zone for 4",
        "note: thread 'main' is not the one that panicked",
        "at Parcels.Rates.RateTable.Zone(Int32 code) is slow",
    ],
)
def test_places_in_files_that_nobody_failed_at_are_no_traces(text: str) -> None:
    assert traces(f"{text}\n") == ()


SERVED = textwrap.dedent("""\
    2026/03/10 11:5{n}:02 http: panic serving 10.2.0.{n}:4112{n}: assignment to entry in nil map
    goroutine 9{n} [running]:
    panic({{0x6f2a40?, 0x7c1d90?}})
    \t/usr/local/go/src/runtime/panic.go:770 +0x132
    main.(*book).Put(0xc00011c0a0)
    \t/src/book.go:24 +0x1a5""")


def test_a_panic_now_and_then_in_each_of_several_pods_counts_together() -> None:
    quiet = [f"2026-03-10T11:4{n % 10}:00Z INFO request completed" for n in range(150)]
    made, owner, one = app("book", container())
    two = {**one, "metadata": {**one["metadata"], "name": "book-rev1-x2", "uid": "x2"}}
    lines = [[*quiet, *(line for n in told for line in SERVED.format(n=n).splitlines())] for told in ((4, 7), (5, 8))]
    both = snapshot(made, owner, one, two, logs=[log(one, *lines[0]), log(two, *lines[1])])
    assert found(both) == [(FaultKind.CODE_REGRESSION, "Deployment/shop/book")]
    alone = snapshot(made, owner, one, two, logs=[log(one, *lines[0]), log(two, *quiet)])
    assert found(alone) == []
