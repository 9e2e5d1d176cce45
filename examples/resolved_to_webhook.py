"""A stream processor of one's own: posts every resolved incident to a webhook, as JSON.

    WEBHOOK_URL=https://chat.example.com/hooks/1 python examples/resolved_to_webhook.py worker

Agents are told at least once, so a post may come twice, after a crash: it carries the same `Idempotency-Key` then.
What was resolved longer than a day ago when this is first started is no news. A webhook that is away is
tried again with growing pauses; the other partitions go on meanwhile.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterable
from datetime import UTC, datetime, timedelta

import aiohttp

from monitor.kafka.hooks import Alert, hooks_of

NEWS = timedelta(days=1)
REMEMBERED = 10_000
LONGEST_PAUSE_SECONDS = 60.0

hooks = hooks_of(os.environ.get("MONITOR_CONFIG", "config"), name="resolved-to-webhook")
app = hooks.app
posted: deque[str] = deque(maxlen=REMEMBERED)


@app.agent(hooks.alerts)
async def tell(alerts: AsyncIterable[Alert | None]) -> None:
    """Post what is over, once."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        async for alert in alerts:
            if alert is None or alert.state != "resolved" or alert.alert_id in posted:
                continue
            if datetime.now(UTC) - datetime.fromisoformat(alert.resolved_at) > NEWS:
                continue
            await post(session, alert)
            posted.append(alert.alert_id)


async def post(session: aiohttp.ClientSession, alert: Alert) -> None:
    """Post one, until it is taken."""
    pause = 1.0
    headers = {"Idempotency-Key": f"{alert.alert_id}|{alert.state}"}
    while True:
        try:
            async with session.post(
                os.environ["WEBHOOK_URL"], json=alert.asdict(), headers=headers
            ) as answer:
                if answer.status < 500 and answer.status != 429:  # noqa: PLR2004
                    return
                reason = f"{answer.status} {answer.reason}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
        app.logger.warning("webhook: %s; again in %.0f s", reason, pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


if __name__ == "__main__":
    app.main()
