"""The configuration file: what is read, and what is refused with the name of the entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinbore.cli import config_file
from twinbore.cli.config_file import ConfigError
from twinbore.model.settings import Settings


def written(directory: Path, text: str) -> Path:
    file = directory / "twinbore.toml"
    file.write_text(text)
    return file


def test_without_a_file_everything_has_its_default() -> None:
    assert config_file.read(None) == Settings()


def test_entries_and_quotas(tmp_path: Path) -> None:
    file = written(
        tmp_path, 'region = "eu-north-1"\noutside_pool_a = ["203.0.113.8/29"]\n[quotas]\nvpn_connections = 3\n'
    )
    settings = config_file.read(file)
    assert settings.availability_zones == ("eu-north-1a", "eu-north-1b", "eu-north-1c")
    assert settings.outside_pool_a == ("203.0.113.8/29",)
    assert settings.quotas.vpn_connections == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("regoin = 'x'", "regoin"),
        ("[quotas]\nvpn = 1", "vpn"),
        ("region = 5", "region"),
        ("region = ", "Invalid value"),
        ("engines = 'both'", "real or fake"),
        ("esp = 'hardware'", "auto, kernel or user"),
        ("outside_pool_b = ['203.0.113.256']", "outside_pool_b"),
        ("listen = '4566'", "ADDRESS:PORT"),
        ("[throttling]\nenable = true", "enable"),
        ("[throttling]\nmutating_burst = 0", "mutating_burst = 0: 1 or more"),
        ("[throttling]\nunfiltered_rate = 0", "unfiltered_rate = 0.0: more than 0"),
        ("[throttling]\nmutating_rate = nan", "mutating_rate = nan: more than 0"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config_file.read(written(tmp_path, text))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        config_file.read(tmp_path / "nowhere.toml")


def test_settings_survive_for_the_other_commands(tmp_path: Path) -> None:
    settings = Settings(underlay="edge", esp="user", outside_pool_a=("203.0.113.1",))
    config_file.save(settings, tmp_path / "settings.json")
    assert config_file.saved(tmp_path / "settings.json") == settings
    with pytest.raises(ConfigError, match="twinbore up"):
        config_file.saved(tmp_path / "other.json")


@pytest.mark.parametrize("listen", ["127.0.0.1:4566", "127.9.9.9:1", "[::1]:4566", "localhost:4566"])
def test_the_loopback_needs_no_tls(listen: str) -> None:
    config_file.check_listening(Settings(listen=listen))
    assert Settings(listen=listen).endpoint == f"http://{listen}"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(listen="0.0.0.0:4566", insecure_listen=True),
        Settings(listen="0.0.0.0:4566", tls_cert="/cert.pem", tls_key="/key.pem"),
    ],
)
def test_other_addresses_need_tls_or_an_operator_who_insists(settings: Settings) -> None:
    config_file.check_listening(settings)
