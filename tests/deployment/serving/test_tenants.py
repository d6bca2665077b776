"""Holders of tokens."""

import pytest

from fhe_estimators.deployment import ServerBusyError
from fhe_estimators.deployment.serving._tenants import EVERYBODY, Tenants

ANN, BOB = "a" * 32, "b" * 32


def test_tokens_tell_tenants_apart():
    tenants = Tenants([ANN, BOB], 4)
    names = {tenants.holding(token) for token in (ANN, BOB)}
    assert len(names) == 2
    assert not names & {None, EVERYBODY, ANN, BOB}
    for token in (None, "", "c" * 32, ANN[:-1], ANN + "a"):
        assert tenants.holding(token) is None
    assert ANN not in f"{tenants!r} {vars(tenants)}"


def test_without_tokens_everybody_is_one():
    tenants = Tenants([], 4)
    assert tenants.holding(None) == tenants.holding(ANN) == EVERYBODY
    assert not tenants.are_told_apart


@pytest.mark.parametrize("token", ["", "short", "ä" * 32, "a\n" * 20])
def test_tokens_that_are_easily_guessed_or_not_sent_are_refused(token):
    with pytest.raises(ValueError, match="at least 16"):
        Tenants([token], 4)


def test_each_tenant_has_a_limit():
    tenants = Tenants([], 1)
    with tenants.busy("ann", "request"):
        with pytest.raises(ServerBusyError) as raised, tenants.busy("ann", "request"):
            pass
        assert raised.value.retry_after
        with tenants.busy("bob", "request"), tenants.busy("ann", "upload"):
            pass
    with tenants.busy("ann", "request"):
        pass
    assert not tenants._busy
