"""What all groups of settings share: unknown names, blank values and NaN are refused."""

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationInfo, field_validator

__all__ = ["SettingsGroup"]


class SettingsGroup(BaseModel):
    """Settings that belong together; the first line of a subclass's docstring is its title."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _not_blank(cls, value: object, info: ValidationInfo) -> object:
        """Refuse blank text and empty lists, unless that is the field's own default.

        A blank path would be the current folder, and Faust refuses a blank group late.
        """
        default = cls.model_fields[info.field_name or ""].get_default(call_default_factory=True)
        unset = default.get_secret_value() if isinstance(default, SecretStr) else default
        is_blank = value == [] or (isinstance(value, str) and not value.strip())
        if is_blank and value != unset:
            raise ValueError("should not be empty")
        return value
