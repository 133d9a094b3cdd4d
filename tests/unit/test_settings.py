import pytest

from fsm_core.errors import BadMapping
from fsm_core.settings import load

GOOD = """
[hub]
database = "sqlite:///state/hub.db"
[systems.sap]
connector = "sap"
settings = { base_url = "https://s4.example.com", user = "env:HUB_TEST_USER", password = "file:secret.txt" }
"""


def written(tmp_path, text):
    path = tmp_path / "hub.toml"
    path.write_text(text, encoding="utf8")
    return path


def test_references_are_resolved_and_paths_count_from_the_file(tmp_path, monkeypatch):
    (tmp_path / "secret.txt").write_text("geheim\n", encoding="utf8")
    monkeypatch.setenv("HUB_TEST_USER", "CC01")
    settings = load(written(tmp_path, GOOD))
    assert settings.system_settings("sap") == {
        "base_url": "https://s4.example.com",
        "user": "CC01",
        "password": "geheim",
    }
    assert settings.database_url() == f"sqlite:///{tmp_path}/state/hub.db"


def test_a_variable_outranks_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("FSM_HUB_HUB__DATABASE", "postgresql+psycopg://db.example/hub")
    assert load(written(tmp_path, GOOD)).database_url() == "postgresql+psycopg://db.example/hub"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[hub]\ndatabse = 'x'", r"unknown key hub.databse; known: database, entities, mappings, ownership"),
        ("[hubb]\n", r"unknown key hubb; known: hub, limits, persons, systems"),
        ("[systems.sap]\nconector = 'sap'", r"systems.sap.connector|unknown key systems.sap.conector"),
        ("[hub\n", "is not TOML"),
    ],
)
def test_a_wrong_key_lists_the_known_ones(tmp_path, text, says):
    with pytest.raises(BadMapping, match=says):
        load(written(tmp_path, text))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ('"geheim"', "plain text"),
        ('"env:HUB_TEST_NOT_SET"', "HUB_TEST_NOT_SET is not set"),
        ('"file:nowhere.txt"', "nowhere.txt cannot be read"),
    ],
)
def test_secrets_are_references_that_exist(tmp_path, value, says):
    settings = load(written(tmp_path, f'[systems.sap]\nconnector = "sap"\nsettings = {{ password = {value} }}'))
    with pytest.raises(BadMapping, match=says) as caught:
        settings.system_settings("sap")
    assert "geheim" not in str(caught.value)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(BadMapping, match="fsm-hub init"):
        load(tmp_path / "hub.toml")
