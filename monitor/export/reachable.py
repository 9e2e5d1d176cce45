"""Whether Alertmanager and Grafana are there and let in, asked without changing anything."""

from collections.abc import AsyncIterator, Mapping

import aiohttp
from yarl import URL

from monitor.model.probe import Probe, ProbeState
from monitor.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_REFUSED = (401, 403)
_ALERTMANAGER_PATH = "/api/v2/status"
_GRAFANA_PATH = "/api/annotations"


async def probes(settings: Settings, variables: Mapping[str, str]) -> AsyncIterator[Probe]:
    """One of each server that is configured.

    Args:
        settings: with their addresses.
        variables: the environment, which holds Grafana's token.
    """
    if settings.alertmanager is not None:
        yield await _ask("Alertmanager", settings.alertmanager.url, _ALERTMANAGER_PATH)
    if settings.grafana is not None:
        name = settings.grafana.token_env
        token = variables.get(name, "").strip()
        yield await _ask(
            "Grafana",
            settings.grafana.url,
            f"{_GRAFANA_PATH}?limit=1",
            token=token,
            remedy=f"set {name} to a token that may write annotations",
        )


async def _ask(what: str, url: str, path: str, *, token: str = "", remedy: str = "") -> Probe:
    # An address may hold a password, which is sent but not shown.
    shown = str(URL(url).with_user(None).with_password(None))
    setting = f"{what.lower()}.url"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session,
            session.get(url + path) as answer,
        ):
            status, reason = answer.status, answer.reason
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Probe(
            what=what,
            name=shown,
            state=ProbeState.UNREACHABLE,
            detail=(str(error) or type(error).__name__).splitlines()[0],
            remedy=f"start it, or correct {setting}",
        )
    if status < 300:  # noqa: PLR2004
        return Probe(what=what, name=shown, detail=f"answers {status}")
    refused = status in _REFUSED and remedy
    return Probe(
        what=what,
        name=shown,
        state=ProbeState.FINDING,
        detail=f"answers {status} {reason}",
        remedy=remedy if refused else f"is this its address? correct {setting}",
    )
