"""Alerts: what they say, that each cause is told once, that none is lost, and that no secret gets out."""

from __future__ import annotations

import datetime as dt
import logging
import ssl
import subprocess
import threading
from collections.abc import Iterator
from email import message_from_string
from email.policy import default
from pathlib import Path

import pytest
from pydantic import SecretStr

from fuzzy_pipeline.alert_settings import AlertSettings, ObjectiveSettings
from fuzzy_pipeline.operations.alert_channels import (
    DeliveryError,
    channel_problems,
    channels_of,
    deliver,
    email_of,
    webhook_body,
)
from fuzzy_pipeline.operations.alert_desk import STATE_FILE, AlertDesk
from fuzzy_pipeline.operations.alerts import (
    Alert,
    SymbolFailure,
    is_stored,
    missed_alerts,
    recovery_of,
    run_command,
    run_failure_alert,
    symbol_failures,
    told,
)
from fuzzy_pipeline.operations.objectives import objective_state
from fuzzy_pipeline.settings import Settings
from tests.unit.operations.loopback_servers import MailServer, Webhook, serving
from tests.unit.operations.planted_dates import (
    HALF_DAY,
    MONDAY,
    SYMBOLS,
    TUESDAY,
    WEDNESDAY,
    at,
    commit,
    complete,
    empty_store,
    fail,
    settings_at,
)

EVENING = at(HALF_DAY, "21:40")
SECRET = "hush-4711"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "home")


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    with serving(server):
        yield server


class Clock:
    """An instant that a test moves."""

    def __init__(self, now: dt.datetime = EVENING) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, hours: float) -> None:
        self.now += dt.timedelta(hours=hours)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def failed_run(
    symbols: dict[str, str] | None = None, run_id: str = "one", date: dt.date = HALF_DAY, link: str = ""
) -> Alert:
    chosen = {"AIG": "UnknownSymbolError"} if symbols is None else symbols
    return Alert(
        kind="run_failed",
        raised_at=EVENING,
        date=date,
        headline=f"{date}: {len(chosen)} of 3 symbols failed",
        failures=tuple(
            SymbolFailure(
                symbol=symbol, table="raw_ticks", error_type=error, reason=f"{symbol}: Invalid <symbol> & co."
            )
            for symbol, error in chosen.items()
        ),
        assets=("time_bars", "volume_bars"),
        run_id=run_id,
        command=run_command(date, list(chosen), SYMBOLS),
        link=link,
    )


def posting_to(server: Webhook, **more: object) -> AlertSettings:
    return AlertSettings(webhook_url=SecretStr(server.url), timeout_s=5.0, **more)  # type: ignore[arg-type]


# -- what an alert says -------------------------------------------------------------------


def test_a_failed_run_names_symbols_reasons_and_the_command_to_try() -> None:
    store, settings = empty_store(), settings_at(Path("/nowhere"))
    commit(store, settings, HALF_DAY, at(HALF_DAY, "21:00"), symbols=("AAA",))
    fail(store, HALF_DAY, at(HALF_DAY, "21:05"), {"BBB": "UnknownSymbolError"})
    fail(store, HALF_DAY, at(HALF_DAY, "21:06"), {"BBB": "NotStoredError"}, table="enriched_ticks")
    found = symbol_failures(store, settings, HALF_DAY, SYMBOLS)
    # The failure upstream is the cause; CCC was not tried.
    assert [(one.symbol, one.table, one.error_type) for one in found] == [("BBB", "raw_ticks", "UnknownSymbolError")]
    alert = failed_run()
    assert alert.headline == "2025-11-28: 1 of 3 symbols failed"
    assert alert.lines == (
        "UnknownSymbolError: AIG in raw_ticks: AIG: Invalid <symbol> & co.",
        "without result: time_bars, volume_bars",
        "try: fuzzy run 2025-11-28 --symbols AIG",
        "run: one",
    )


def test_hundreds_of_symbols_with_one_error_take_one_line() -> None:
    alert = failed_run({f"S{number:03}": "SourceTimeoutError" for number in range(500)})
    assert len(alert.lines) == 4
    assert alert.lines[0].startswith("SourceTimeoutError: S000, S001, ")
    assert "S019 and 480 more in raw_ticks" in alert.lines[0]
    assert alert.command == "fuzzy run 2025-11-28"


def test_failed_checks_are_told_by_check() -> None:
    names = [f"{letter}_bars: every_symbol_stored" for letter in "abcdefg"] + ["time_bars: volume_is_conserved"]
    assert failed_run().model_copy(update={"checks": tuple(names)}).lines[2:4] == (
        "failed check every_symbol_stored: a_bars, b_bars, c_bars, d_bars, e_bars and 2 more",
        "failed check volume_is_conserved: time_bars",
    )


def test_a_run_that_failed_before_there_was_a_store_tells_what_its_steps_said(settings: Settings) -> None:
    chosen = AlertSettings(ui_url="http://ui.example:3000/")
    errors = ["ingest: StoreFullError: no space left"]
    alert = run_failure_alert(settings, chosen, MONDAY, run_id="r1", assets=["raw_ticks"], errors=errors, now=EVENING)
    assert alert.headline == "2025-11-24: the run failed"
    assert alert.lines[:3] == (
        "ingest: StoreFullError: no space left",
        "without result: raw_ticks",
        "try: fuzzy run 2025-11-24",
    )
    assert alert.link == "http://ui.example:3000/runs/r1"


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ((), "fuzzy run 2025-11-24"),
        (("BBB", "AAA"), "fuzzy run 2025-11-24 --symbols AAA,BBB"),
        (SYMBOLS, "fuzzy run 2025-11-24"),
    ],
)
def test_the_command_names_symbols_when_they_are_some(symbols: tuple[str, ...], expected: str) -> None:
    assert run_command(MONDAY, symbols, SYMBOLS) == expected


def test_the_cause_is_date_symbols_and_types_whichever_run_and_words() -> None:
    alert = failed_run({"AIG": "A", "KO": "B"})
    same = failed_run({"KO": "B", "AIG": "A"}, run_id="two", link="http://elsewhere")
    assert alert.cause == same.cause
    others = [
        failed_run({"AIG": "A"}),
        failed_run({"AIG": "A", "KO": "C"}),
        failed_run({"AIG": "A", "KO": "B"}, date=MONDAY),
        recovery_of([alert], EVENING),
    ]
    assert len({alert.cause, *(other.cause for other in others)}) == 5


def test_reasons_are_one_short_line_without_what_addresses_hold() -> None:
    text = told(f"no answer from\n  s3://host:bucket?access=me&secret={SECRET} and https://h.example/{SECRET}")
    assert SECRET not in text
    assert text.startswith("no answer from s3://host:bucket?")
    assert len(told("x" * 1000)) == 300


# -- missed deadlines and objectives -------------------------------------------------------


def test_a_missed_deadline_is_told_for_the_last_date_only(settings: Settings) -> None:
    store = empty_store()
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    fail(store, WEDNESDAY, at(WEDNESDAY, "21:30"), {"BBB": "SourceTimeoutError"})
    chosen = ObjectiveSettings(nightly_done=0.5, freshness=0.5, failure_share=0.5)
    state = objective_state(store, settings, chosen, at(WEDNESDAY, "23:05"))
    alerts = missed_alerts(state, settings, chosen)
    assert [(alert.kind, alert.date) for alert in alerts] == [("deadline_missed", WEDNESDAY)]
    assert alerts[0].headline == "2025-11-26 is missing after its deadline 2025-11-26 23:00 ET"
    assert alerts[0].command == "fuzzy run 2025-11-26 --symbols BBB"
    assert missed_alerts(objective_state(store, settings, chosen, at(WEDNESDAY, "22:59")), settings, chosen) != alerts


def test_an_overspent_budget_is_told_with_its_numbers(settings: Settings) -> None:
    store = empty_store()
    for date in (MONDAY, TUESDAY):
        complete(store, settings, date, at(date, "23:30"))
    complete(store, settings, WEDNESDAY, at(WEDNESDAY, "22:00"))
    chosen = ObjectiveSettings()
    alerts = missed_alerts(objective_state(store, settings, chosen, at(HALF_DAY, "12:00")), settings, chosen)
    assert [(alert.kind, alert.objective) for alert in alerts] == [("objective_missed", "nightly_done")]
    assert alerts[0].reasons == (
        "nightly_done: 1 of 3 dates (33.3%, wanted 95.0%), 200% of the error budget used; not 2025-11-25, 2025-11-24",
    )


def test_who_fails_does_not_make_a_missed_deadline_another_one() -> None:
    alert = failed_run().model_copy(update={"kind": "deadline_missed"})
    assert alert.cause == alert.model_copy(update={"failures": ()}).cause


def test_stored_means_every_table_and_no_later_failure(settings: Settings) -> None:
    store = empty_store()
    commit(store, settings, MONDAY, at(MONDAY, "22:00"), symbols=("AAA", "BBB"))
    assert is_stored(store, settings, MONDAY, ["AAA", "BBB"])
    assert not is_stored(store, settings, MONDAY, ["AAA", "CCC"])
    fail(store, MONDAY, at(MONDAY, "22:30"), {"AAA": "QualityError"})
    assert not is_stored(store, settings, MONDAY, ["AAA"])


# -- told once -------------------------------------------------------------------------------


def test_the_same_cause_is_told_once_in_its_window_and_again_after_it(
    settings: Settings, webhook: Webhook, clock: Clock
) -> None:
    desk = AlertDesk(settings, posting_to(webhook, repeat_hours=6.0), clock)
    told_now = []
    for hours, run_id in ((0, "one"), (0.1, "two"), (5.8, "three"), (0.2, "four")):
        clock.forward(hours)
        told_now.append(desk.raise_alert(failed_run(run_id=run_id)))
        desk.deliver_pending()
    assert told_now == [True, False, False, True]
    assert [body["text"].splitlines()[-1] for _, body in webhook.received] == ["run: one", "run: four"]
    assert desk.state().incidents[failed_run().cause].times_seen == 4


def test_another_symbol_or_date_is_another_cause(settings: Settings, webhook: Webhook, clock: Clock) -> None:
    desk = AlertDesk(settings, posting_to(webhook), clock)
    for alert in (failed_run(), failed_run({"KO": "UnknownSymbolError"}), failed_run(date=MONDAY)):
        assert desk.raise_alert(alert)
    assert desk.deliver_pending() == []
    assert len(webhook.received) == 3


def test_what_lasts_is_told_once_while_it_is_open(settings: Settings, webhook: Webhook, clock: Clock) -> None:
    desk = AlertDesk(settings, posting_to(webhook), clock)
    assert desk.raise_alert(failed_run(), once=True)
    clock.forward(48)
    assert not desk.raise_alert(failed_run(), once=True)


def test_two_processes_that_see_the_same_failure_tell_it_once(settings: Settings, webhook: Webhook) -> None:
    chosen = posting_to(webhook)
    results: list[bool] = []

    def raise_and_deliver() -> None:
        desk = AlertDesk(settings, chosen)
        results.append(desk.raise_alert(failed_run()))
        desk.deliver_pending()

    threads = [threading.Thread(target=raise_and_deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]
    assert len(webhook.received) == 1


def test_the_log_is_always_told(settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    desk = AlertDesk(settings, AlertSettings(), clock)
    with caplog.at_level(logging.INFO):
        desk.raise_alert(failed_run())
        desk.raise_alert(failed_run())
    assert [record.levelname for record in caplog.records if "1 of 3 symbols failed" in record.message] == ["ERROR"]
    assert desk.state().pending == []


# -- nothing is lost --------------------------------------------------------------------------


def test_a_message_that_did_not_arrive_is_tried_again_until_it_does(
    settings: Settings, webhook: Webhook, clock: Clock
) -> None:
    webhook.status = 503
    desk = AlertDesk(settings, posting_to(webhook), clock)
    desk.raise_alert(failed_run())
    left = desk.deliver_pending()
    assert [(one.channel, one.tries, one.last_error) for one in left] == [
        ("webhook", 1, "webhook: the server answered 503")
    ]
    # Another process, later.
    webhook.status = 200
    clock.forward(0.1)
    assert AlertDesk(settings, posting_to(webhook), clock).deliver_pending() == []
    assert AlertDesk(settings, posting_to(webhook), clock).deliver_pending() == []
    assert len(webhook.received) == 2


def test_only_the_channel_that_failed_is_tried_again(settings: Settings, webhook: Webhook, clock: Clock) -> None:
    mail = MailServer()
    chosen = posting_to(
        webhook, smtp_host="127.0.0.1", smtp_port=mail.port, smtp_security="none", email_to=("ops@example.org",)
    )
    mail.server_close()
    desk = AlertDesk(settings, chosen, clock)
    desk.raise_alert(failed_run())
    assert [one.channel for one in desk.deliver_pending()] == ["email"]
    again = MailServer(port=chosen.smtp_port)
    with serving(again):
        assert desk.deliver_pending() == []
    assert (len(webhook.received), len(again.received)) == (1, 1)


def test_a_message_is_given_up_after_a_day(
    settings: Settings, webhook: Webhook, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.status = 500
    desk = AlertDesk(settings, posting_to(webhook, retry_hours=24.0), clock)
    desk.raise_alert(failed_run())
    desk.deliver_pending()
    clock.forward(23.9)
    desk.deliver_pending()
    assert len(desk.state().pending) == 1
    clock.forward(0.2)
    desk.deliver_pending()
    assert desk.state().pending == []
    assert "alert given up after 3 tries" in caplog.text


def test_a_channel_that_was_switched_off_is_not_waited_for(settings: Settings, webhook: Webhook, clock: Clock) -> None:
    webhook.status = 500
    desk = AlertDesk(settings, posting_to(webhook), clock)
    desk.raise_alert(failed_run())
    desk.deliver_pending()
    assert AlertDesk(settings, AlertSettings(), clock).deliver_pending() == []
    assert desk.state().pending == []


def test_an_alert_that_cannot_be_remembered_is_sent_all_the_same(
    settings: Settings, webhook: Webhook, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    settings.home.mkdir()
    (settings.home / "alerts").write_text("a file where the folder should be")
    desk = AlertDesk(settings, posting_to(webhook), clock)
    assert desk.raise_alert(failed_run())
    assert len(webhook.received) == 1
    assert "cannot be remembered" in caplog.text
    assert desk.deliver_pending() == []


def test_a_damaged_memory_tells_again_rather_than_never(
    settings: Settings, webhook: Webhook, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    desk = AlertDesk(settings, posting_to(webhook), clock)
    desk.raise_alert(failed_run())
    (settings.home / STATE_FILE).write_text('{"incidents": {"x"')
    assert desk.raise_alert(failed_run())
    assert "state.json is damaged" in caplog.text


# -- recoveries -------------------------------------------------------------------------------


def test_one_message_a_date_tells_that_it_is_mended(settings: Settings, webhook: Webhook, clock: Clock) -> None:
    desk = AlertDesk(settings, posting_to(webhook), clock)
    for alert in (failed_run({"AIG": "A", "KO": "B"}), failed_run({"AIG": "A"}), failed_run(date=MONDAY)):
        desk.raise_alert(alert)
    assert desk.close_mended(lambda alert: False) == []
    clock.forward(2)
    closed = desk.close_mended(lambda alert: alert.date == HALF_DAY)
    assert [alert.headline for alert in closed] == ["2025-11-28 is mended"]
    assert closed[0].reasons == (
        "stored now: AIG, KO",
        "told 2025-11-28 21:40 ET: 2025-11-28: 2 of 3 symbols failed",
        "told 2025-11-28 21:40 ET: 2025-11-28: 1 of 3 symbols failed",
    )
    desk.deliver_pending()
    assert [body["text"].splitlines()[0] for _, body in webhook.received][3:] == ["*✔ 2025-11-28 is mended*"]
    assert [one.alert.date for one in desk.state().incidents.values()] == [MONDAY]
    assert desk.close_mended(lambda alert: alert.date == HALF_DAY) == []


def test_a_cause_that_comes_back_after_it_was_mended_is_told_at_once(
    settings: Settings, webhook: Webhook, clock: Clock
) -> None:
    desk = AlertDesk(settings, posting_to(webhook), clock)
    desk.raise_alert(failed_run())
    desk.close_mended(lambda alert: True)
    clock.forward(0.1)
    assert desk.raise_alert(failed_run())


def test_recoveries_can_be_switched_off(settings: Settings, webhook: Webhook, clock: Clock) -> None:
    desk = AlertDesk(settings, posting_to(webhook, recoveries=False), clock)
    desk.raise_alert(failed_run())
    desk.deliver_pending()
    assert desk.close_mended(lambda alert: True) == []
    desk.deliver_pending()
    assert (len(webhook.received), desk.state().incidents) == (1, {})


def test_what_nobody_can_judge_or_is_a_month_old_is_closed_without_a_word(
    settings: Settings, webhook: Webhook, clock: Clock
) -> None:
    desk = AlertDesk(settings, posting_to(webhook), clock)
    desk.raise_alert(failed_run())
    assert desk.close_mended(lambda alert: None) == []
    assert desk.state().incidents == {}
    desk.raise_alert(failed_run(date=MONDAY))
    clock.forward(24 * 30)
    assert desk.close_mended(lambda alert: False) == []
    assert desk.state().incidents == {}


# -- channels -------------------------------------------------------------------------------


def test_slack_gets_a_text_in_which_its_marks_are_escaped(webhook: Webhook) -> None:
    deliver(failed_run(), "webhook", posting_to(webhook))
    path, body = webhook.received[0]
    assert path == "/services/T0/B0/hush"
    assert list(body) == ["text"]
    assert body["text"].startswith("*✘ 2025-11-28: 1 of 3 symbols failed*\nUnknownSymbolError: AIG")
    assert "Invalid &lt;symbol&gt; &amp; co." in body["text"]


def test_teams_gets_an_adaptive_card_with_a_button(webhook: Webhook) -> None:
    deliver(failed_run(link="http://ui/runs/one"), "webhook", posting_to(webhook, webhook_format="teams"))
    _, body = webhook.received[0]
    assert body["type"] == "message"
    assert body["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = body["attachments"][0]["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.2")
    assert [block["text"] for block in card["body"]][:2] == [
        "2025-11-28: 1 of 3 symbols failed",
        "UnknownSymbolError: AIG in raw_ticks: AIG: Invalid <symbol> & co.",
    ]
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open the run", "url": "http://ui/runs/one"}]
    assert "actions" not in webhook_body(failed_run(), "teams")["attachments"][0]["content"]


def test_a_redirected_webhook_counts_as_not_delivered(webhook: Webhook) -> None:
    webhook.status, webhook.headers = 302, {"Location": f"{webhook.url}/elsewhere"}
    with pytest.raises(DeliveryError, match="the server answered 302"):
        deliver(failed_run(), "webhook", posting_to(webhook))
    assert len(webhook.received) == 1


def test_a_silent_webhook_ends_with_its_timeout() -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = SecretStr(f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(DeliveryError, match="webhook: TimeoutError"):
            deliver(failed_run(), "webhook", AlertSettings(webhook_url=url, timeout_s=0.2))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate of 127.0.0.1 that signs itself, and a server's context with it."""
    folder = tmp_path_factory.mktemp("certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def mailing_to(server: MailServer, security: str, **more: object) -> AlertSettings:
    return AlertSettings(
        smtp_host="127.0.0.1", smtp_port=server.port, smtp_security=security, timeout_s=5.0,  # type: ignore[arg-type]
        email_to=("ops@example.org", "night@example.org"), email_from="fuzzy@example.org", **more,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_is_encrypted_before_anyone_logs_in(
    security: str, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    server = MailServer(context, implicit=security == "tls")
    with serving(server):
        chosen = mailing_to(server, security, smtp_user=SecretStr("me"), smtp_password=SecretStr(SECRET))
        deliver(failed_run(), "email", chosen)
    mail = server.received[0]
    assert (mail.encrypted, mail.login) == (True, ("me", SECRET))
    assert (mail.sender, mail.recipients) == ("fuzzy@example.org", ["ops@example.org", "night@example.org"])
    message = message_from_string(mail.text, policy=default)
    assert message["Subject"] == "fuzzy: 2025-11-28: 1 of 3 symbols failed"
    assert message.get_content().replace("\r\n", "\n").rstrip("\n") == str(failed_run())


def test_a_mail_server_nobody_vouches_for_is_not_told_anything(certificate: tuple[Path, ssl.SSLContext]) -> None:
    server = MailServer(certificate[1])
    with serving(server), pytest.raises(DeliveryError, match="email: certificate not accepted"):
        deliver(failed_run(), "email", mailing_to(server, "starttls", smtp_password=SecretStr(SECRET)))
    assert server.received == []


def test_without_a_login_a_local_mail_server_needs_no_encryption() -> None:
    server = MailServer()
    with serving(server):
        deliver(failed_run(), "email", mailing_to(server, "none"))
    assert (server.received[0].encrypted, server.received[0].login) == (False, None)


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        (AlertSettings(webhook_url=SecretStr(f"file:///etc/{SECRET}")), "WEBHOOK_URL is no http or https address"),
        (AlertSettings(webhook_url=SecretStr(f"hooks.example/{SECRET}")), "WEBHOOK_URL is no http or https address"),
        (AlertSettings(email_to=("a@example.org",)), "needs FUZZY_ALERTS__SMTP_HOST"),
        (AlertSettings(smtp_host="mail.example"), "needs FUZZY_ALERTS__EMAIL_TO"),
        (
            AlertSettings(
                smtp_host="mail.example", email_to=("a@example.org",), smtp_security="none",
                smtp_password=SecretStr(SECRET),
            ),
            "would send the password in the clear",
        ),
    ],
)  # fmt: skip
def test_a_channel_that_cannot_work_says_why_before_anything_is_sent(chosen: AlertSettings, problem: str) -> None:
    assert [problem in found for found in channel_problems(chosen)] == [True]
    with pytest.raises(DeliveryError, match=problem) as caught:
        deliver(failed_run(), channels_of(chosen)[0], chosen)
    assert SECRET not in repr(caught.value)


def test_a_fine_channel_has_no_problem(webhook: Webhook) -> None:
    assert channel_problems(posting_to(webhook, smtp_host="m", email_to=("a@example.org",))) == []
    assert channels_of(AlertSettings()) == ()


def test_the_first_recipient_sends_when_nobody_else_does() -> None:
    message = email_of(failed_run(), AlertSettings(smtp_host="m", email_to=("a@example.org", "b@example.org")))
    assert (message["From"], message["To"]) == ("a@example.org", "a@example.org, b@example.org")


# -- secrets --------------------------------------------------------------------------------


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    "address",
    [
        f"http://127.0.0.1:1/{SECRET}",
        f"http://127.0.0.1:1/{SECRET} with a blank",
        f"http://no-such-host.invalid/{SECRET}",
        f"http://[::1/{SECRET}",
        f"http://{SECRET}@:x/",
    ],
)
def test_no_failure_of_a_webhook_shows_its_address(
    address: str, settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = AlertSettings(webhook_url=SecretStr(address), timeout_s=2.0)
    with pytest.raises(DeliveryError) as caught:
        deliver(failed_run(), "webhook", chosen)
    assert [SECRET in f"{error!r} {error}" for error in chain(caught.value)] == [False]
    desk = AlertDesk(settings, chosen, clock)
    with caplog.at_level(logging.DEBUG):
        desk.raise_alert(failed_run())
        assert len(desk.deliver_pending()) == 1
    assert SECRET not in caplog.text
    assert SECRET not in (settings.home / STATE_FILE).read_text()


def test_a_mail_server_that_repeats_the_password_does_not_get_it_into_the_log(
    certificate: tuple[Path, ssl.SSLContext],
    settings: Settings,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    server = MailServer(certificate[1])
    server.refused_login = True
    chosen = mailing_to(server, "starttls", smtp_user=SecretStr("me"), smtp_password=SecretStr(SECRET))
    desk = AlertDesk(settings, chosen, clock)
    with serving(server), caplog.at_level(logging.DEBUG):
        desk.raise_alert(failed_run())
        left = desk.deliver_pending()
    assert [one.last_error for one in left] == ["email: SMTPAuthenticationError, code 535"]
    assert SECRET not in caplog.text + (settings.home / STATE_FILE).read_text()


def test_settings_show_no_secret_however_they_are_printed() -> None:
    chosen = AlertSettings(webhook_url=SecretStr(f"https://h/{SECRET}"), smtp_password=SecretStr(SECRET))
    shown = [repr(chosen), str(chosen), str(chosen.model_dump()), chosen.model_dump_json()]
    assert [SECRET in text for text in shown] == [False] * 4
