"""What every section of a recipe and every run's settings are: frozen, with no unknown fields."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A section of settings. The text below a field is its caption, wherever settings are explained."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
