from pathlib import Path

import pytest

from monitor.api.tokens import Scope, Tokens
from monitor.errors import ConfigError
from monitor.settings import Api, ApiToken


def test_the_one_token_of_the_environment_allows_everything() -> None:
    tokens = Tokens.of(Api(), {"MONITOR_TOKEN": " abc \n"})
    owner = tokens.owner(b"abc")
    assert owner is not None
    assert all(owner.allows(scope) for scope in Scope)
    assert tokens.owner(b"abd") is None
    assert tokens.owner(b"") is None


def test_without_a_token_there_are_none() -> None:
    assert not Tokens.of(Api(), {"MONITOR_TOKEN": ""})
    assert not Tokens.of(Api(token_env=None), {"MONITOR_TOKEN": "abc"})


def test_tokens_have_names_and_scopes_and_come_from_variables_and_files(tmp_path: Path) -> None:
    (tmp_path / "grafana").write_text("g-secret\n")
    api = Api(
        tokens=(
            ApiToken(name="ci", token_env="CI_TOKEN"),
            ApiToken(name="grafana", token_file=str(tmp_path / "grafana"), scopes=("read",)),
        )
    )
    tokens = Tokens.of(api, {"CI_TOKEN": "c-secret"})
    ci, grafana = tokens.owner(b"c-secret"), tokens.owner(b"g-secret")
    assert ci is not None
    assert grafana is not None
    assert (ci.name, grafana.name) == ("ci", "grafana")
    assert ci.allows(Scope.ANNOTATE)
    assert not ci.allows(Scope.READ)
    assert not grafana.allows(Scope.ANNOTATE)
    assert "secret" not in repr(tokens)


@pytest.mark.parametrize(
    ("token", "told"),
    [
        (ApiToken(name="ci", token_env="CI_TOKEN"), "CI_TOKEN, which is not set"),
        (ApiToken(name="ci", token_file="absent"), "absent cannot be read"),
        (ApiToken(name="ci", token_file="empty"), "empty is empty"),
    ],
)
def test_a_token_that_is_not_there_is_named(
    token: ApiToken, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").write_text(" \n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told):
        Tokens.of(Api(tokens=(token,)), {})


def test_two_equal_tokens_are_refused() -> None:
    api = Api(tokens=(ApiToken(name="ci", token_env="CI_TOKEN"),))
    with pytest.raises(ConfigError, match="equal"):
        Tokens.of(api, {"CI_TOKEN": "same", "MONITOR_TOKEN": "same"})
