"""A service's settings as the environment variables that say the same."""

from shared.settings import Settings


def environment_of(s: Settings) -> dict[str, str]:
    told = {
        "JURISDICTION": s.jurisdiction,
        f"{s.service.upper()}_APP_DSN": s.app_dsn,
        f"{s.service.upper()}_LOG_DSN": s.log_dsn,
        "KEYS_DSN": s.keys_dsn,
        "NATS_URL": s.nats_url,
        "PLANS": str(s.plans),
        "SECRET": s.secret.decode(),
        "MASTER_KEY": s.master_key,
        "TOKEN_PUBLIC": s.token_public,
        "SCRATCH_DSN": s.scratch_dsn or "",
    }
    return {f"MINEWATCH_{name}": value for name, value in told.items()}
