"""What the terminal app asks before it says something: the evidence of a repair, the reason of a suspension."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from crew_client.protocol import Evidence
from crew_client.protocol.words import SUSPEND_REASONS


class EvidenceDialog(ModalScreen[Evidence | None]):
    """Asks for the room temperature and a note; None when given up."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "返回")]

    def compose(self) -> ComposeResult:
        """Lay out the two fields."""
        with Vertical(classes="dialog"):
            yield Label("办结:室温 ℃,然后处理情况,回车提交")
            yield Input(placeholder="室温 ℃", type="number", id="temperature")
            yield Input(placeholder="处理情况", max_length=4000, id="note")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the note, then answer."""
        if event.input.id == "temperature":
            self.query_one("#note", Input).focus()
            return
        warmth = self.query_one("#temperature", Input)
        if not warmth.is_valid or (warmth.value and not -60 <= float(warmth.value) <= 100):
            warmth.focus()
            return
        _ = self.dismiss(
            Evidence(temperature_c=float(warmth.value) if warmth.value else None, note=event.value or None)
        )


class SuspendDialog(ModalScreen[tuple[str, Evidence | None] | None]):
    """Asks why an order must wait, then what was found; a code of `SuspendReason` and a note, or None when given up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "返回"),
        *(Binding(str(number), f"choose('{code}')", show=False) for number, code in enumerate(SUSPEND_REASONS, 1)),
    ]

    reason = ""

    def compose(self) -> ComposeResult:
        """Lay out the reasons, and the note that is asked for next."""
        with Vertical(classes="dialog"):
            yield Label("挂起原因")
            yield OptionList(
                *(Option(f"{n} {words}", id=code) for n, (code, words) in enumerate(SUSPEND_REASONS.items(), 1))
            )
            yield Input(placeholder="写明情况时限才暂停,回车提交", max_length=4000, id="note", disabled=True)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the reason under the cursor."""
        self.action_choose(event.option.id or "")

    def action_choose(self, code: str) -> None:
        """Take the reason of a number key, and go on to the note."""
        self.reason = code
        note = self.query_one("#note", Input)
        note.disabled = False
        note.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer."""
        note = event.value.strip()
        _ = self.dismiss((self.reason, Evidence(note=note) if note else None))
