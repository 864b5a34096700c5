"""Verdicts on URLs with others inside: the worst of them counts, and is named."""

import math
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from stream_detector.assembly import decider_of
from stream_detector.canonical import canonical_url
from stream_detector.events import Canonical, Decision, Observed, Rejected, RejectReason
from stream_detector.models.base import TextScorer
from stream_detector.models.serving import load_scorer
from stream_detector.nested_urls import nested_urls
from stream_detector.policy.decider import Decider
from stream_detector.settings.fields import DATA_FOLDER, Settings
from support.scoring import WordScorer


def decider(scorer: TextScorer, **settings: Any) -> Decider:
    return decider_of(scorer, settings=Settings(**settings), metrics=None)


def results(
    *urls: str, scorer: WordScorer | None = None, **settings: Any
) -> Sequence[Decision | Rejected]:
    observed: list[Observed] = [("url", url) for url in urls]
    return decider(scorer or WordScorer(), **settings).decide(observed).decisions


def decided(url: str, **settings: Any) -> Decision:
    (decision,) = results(url, **settings)
    assert isinstance(decision, Decision)
    return decision


def canonical(url: str) -> Canonical:
    form = canonical_url(url)
    assert isinstance(form, Canonical)
    return form


def to(target: str, redirector: str = "http://out.com/r?u=") -> str:
    """In base64: the scorer of words must not read them in the outer text."""
    return redirector + urlsafe_b64encode(f"https://{target}".encode()).decode()


def lists(tmp_path: Path, **texts: str) -> dict[str, Any]:
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return {name: tmp_path / name for name in texts}


def test_the_worse_one_inside_decides_and_is_named() -> None:
    decision = decided(to("login.evil.com/x"))
    assert (decision.verdict, decision.score, decision.reason) == ("malicious", 0.96875, "model")
    assert decision.labels[1] == "malicious"
    assert decision.canonical.text == canonical(to("login.evil.com/x")).text
    assert decision.canonical.registered_domain == "out.com"
    assert decision.canonical.notes == ("nested_url",)
    assert decision.inner is not None
    assert decision.inner.text == "login.evil.com/x"
    assert decision.inner.registered_domain == "evil.com"
    assert decision.inner.in_query


@pytest.mark.parametrize("redirector", ["http://out.com/r?u=", "http://evil.com/r?u="])
def test_between_equals_the_outer_one_decides(redirector: str) -> None:
    decision = decided(to("evil.org" if "evil" in redirector else "fine.org", redirector))
    assert decision.inner is None
    assert decision.canonical.notes == ("nested_url",)


def test_the_worst_of_several_decides() -> None:
    decision = decided(f"{to('odd.org')}&{to('evil.net/', 'b=')}&c=http://fine.org")
    assert decision.inner is not None
    assert (decision.inner.text, decision.verdict) == ("evil.net", "malicious")


def test_texts_inside_are_scored_in_the_same_call_and_once() -> None:
    scorer = WordScorer()
    deciding = decider(scorer)
    url, other = to("a.org/x"), to("a.org/x", "http://other.com/?u=")
    deciding.decide([("url", url), ("url", other), ("url", "http://a.org/x")])
    texts = [canonical(url).text, canonical(other).text, "a.org/x"]
    assert [(kind, sorted(called)) for kind, called in scorer.calls] == [("url", sorted(texts))]
    deciding.decide([("url", "https://a.org/x"), ("url", url), ("url", to("a.org/x") + "&v=2")])
    assert [called for _, called in scorer.calls[1:]] == [[canonical(url).text + "&v=2"]]


def test_ordinary_urls_keep_text_score_and_notes() -> None:
    scorer = WordScorer()
    urls = [f"http://odd.com/{path}" for path in ("", "a.js?v=1.2", "x?q=a.com&utm_source=b.com")]
    for decision, url in zip(results(*urls, scorer=scorer), urls, strict=True):
        assert isinstance(decision, Decision)
        assert decision.canonical == canonical(url)
        assert (decision.score, decision.inner) == (0.625, None)
    assert scorer.calls == [("url", [canonical(url).text for url in urls])]


class TestLists:
    def test_an_allowed_redirector_hides_no_malicious_target(self, tmp_path: Path) -> None:
        allowed = lists(tmp_path, allow_list="out.com")
        decision = decided(to("evil.com"), **allowed)
        assert (decision.verdict, decision.score, decision.reason) == (
            "malicious",
            0.96875,
            "model",
        )
        assert decided(to("odd.com"), **allowed).verdict == "suspicious"

    def test_an_allowed_redirector_stays_allowed_with_a_benign_target(self, tmp_path: Path) -> None:
        scorer = WordScorer()
        decision = decided(to("fine.org"), scorer=scorer, **lists(tmp_path, allow_list="out.com"))
        assert (decision.verdict, decision.score, decision.reason) == ("benign", None, "allow_list")
        assert decision.inner is None
        assert scorer.calls == [("url", ["fine.org"])]

    def test_an_allowed_target_is_benign(self, tmp_path: Path) -> None:
        allowed = lists(tmp_path, allow_list="out.com\nevil.com")
        decision = decided(to("evil.com"), **allowed)
        assert (decision.verdict, decision.reason) == ("benign", "allow_list")

    def test_an_allowed_target_allows_no_other_redirector(self, tmp_path: Path) -> None:
        decision = decided(to("fine.org", "http://evil.com/?u="), **self.fine(tmp_path))
        assert (decision.verdict, decision.reason, decision.inner) == ("malicious", "model", None)

    def fine(self, tmp_path: Path) -> dict[str, Any]:
        return lists(tmp_path, allow_list="fine.org")

    def test_a_denied_target_is_malicious(self, tmp_path: Path) -> None:
        denied = lists(tmp_path, allow_list="out.com", deny_list="fine.org")
        decision = decided(to("a.fine.org/x"), **denied)
        assert (decision.verdict, decision.score, decision.reason) == (
            "malicious",
            None,
            "deny_list",
        )
        assert decision.inner is not None
        assert decision.inner.text == "a.fine.org/x"

    def test_a_denied_redirector_needs_no_model(self, tmp_path: Path) -> None:
        scorer = WordScorer()
        decision = decided(to("evil.com"), scorer=scorer, **lists(tmp_path, deny_list="out.com"))
        assert (decision.reason, decision.inner) == ("deny_list", None)
        assert scorer.calls == []


BOTH = f"{to('fine.org')}&{to('evil.net', 'v=')}"


class TestFaults:
    def test_without_a_score_of_the_one_inside_there_is_no_verdict(self) -> None:
        scorer = WordScorer(wrong_on={"fine.org": math.nan})
        rejected, other = results(to("fine.org"), "http://a.com/", scorer=scorer)
        assert isinstance(rejected, Rejected)
        assert rejected.reason is RejectReason.MODEL_ERROR
        assert "inside" in rejected.detail
        assert isinstance(other, Decision)

    @pytest.mark.parametrize("faulty", ["fine.org", canonical(BOTH).text])
    def test_what_is_malicious_without_it_stays_malicious(self, faulty: str) -> None:
        scorer = WordScorer(wrong_on={faulty: math.nan})
        decision = decided(BOTH, scorer=scorer)
        assert decision.verdict == "malicious"


class TestCredentials:
    @pytest.mark.parametrize(
        "target", ["http://me:pASSWORDp@evil.com/a", "http://evil.com/?u=me:pASSWORDp@b.org"]
    )
    def test_no_password_is_in_what_is_inside(self, target: str) -> None:
        encoded = urlsafe_b64encode(target.encode()).decode()
        for url in (f"http://out.com/?u={quote(target, safe='')}", f"http://out.com/?u={encoded}"):
            decision = decided(url)
            assert decision.verdict == "malicious"
            assert decision.inner is None or "pASSWORDp" not in decision.inner.text


@pytest.fixture(scope="module")
def shipped() -> Decider:
    """With the models that the package ships."""
    return decider(load_scorer(Settings(device="cpu")))


PHISHING = [
    "paypal-account-limited.secure-login-verify.xyz/signin/index.php",
    "secure-appleid-unlock.support-verify.top/account/login.php?id=8842",
    "netflix-billing-update.account-renew.click/payment/confirm.php",
    "microsoft0nline-verify.web-login.icu/office365/auth/index.html",
    "dhl-parcel-redelivery-fee.tracking-pay.shop/pay/card.php",
]
REDIRECTORS = [
    lambda url: f"https://www.google.com/url?sa=t&q={quote(url, safe='')}&usg=AOv",
    lambda url: f"https://l.facebook.com/l.php?u={quote(url, safe='')}&h=AT0",
    lambda url: f"https://eu01.safelinks.protection.outlook.com/?url={quote(url, safe='')}&data=05",
    lambda url: f"https://example.com/login?redirect={quote(quote(url, safe=''), safe='')}",
    lambda url: f"https://click.example.net/t?r={urlsafe_b64encode(url.encode()).decode()}",
    lambda url: f"https://web.archive.org/web/20260101000000/{url}",
    lambda url: f"https://www.google.com/amp/s/{url.removeprefix('https://')}",
]


def test_the_shipped_model_finds_wrapped_phishing(shipped: Decider) -> None:
    plain: list[Observed] = [("url", f"https://{text}") for text in PHISHING]
    for text, decision in zip(PHISHING, shipped.decide(plain).decisions, strict=True):
        assert isinstance(decision, Decision)
        assert decision.verdict == "malicious", (text, decision.score)
    for text in PHISHING:
        wrapped: list[Observed] = [("url", wrap(f"https://{text}")) for wrap in REDIRECTORS]
        for (_, url), decision in zip(wrapped, shipped.decide(wrapped).decisions, strict=True):
            assert isinstance(decision, Decision)
            assert decision.verdict == "malicious", (url, decision.score)


def test_scores_of_the_sample_urls_are_those_of_their_texts(shipped: Decider) -> None:
    text = (DATA_FOLDER / "samples" / "urls.txt").read_text(errors="replace")
    forms = {line: canonical_url(line) for line in text.splitlines() if not line.startswith("#")}
    ordinary = {
        line: form
        for line, form in forms.items()
        if isinstance(form, Canonical) and not nested_urls(form)
    }
    assert len(ordinary) > 0.9 * len(forms)
    observed: list[Observed] = [("url", line) for line in ordinary]
    scores = load_scorer(Settings(device="cpu")).score(
        "url", [form.text for form in ordinary.values()]
    )
    for decision, score in zip(shipped.decide(observed).decisions, scores, strict=True):
        assert isinstance(decision, Decision)
        assert (decision.score, decision.inner) == (pytest.approx(float(score), abs=1e-5), None)
