"""Adam for trainings, without the compiler that torch's own class loads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """The steps of `torch.optim.Adam` with its defaults, bit for bit.

    That class loads torch's compiler, which takes longer than a small training.

    Parameters
    ----------
    parameters : iterable of Tensor
        Each must have a gradient at each step.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.state = {
            parameter: {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
            for parameter in parameters
        }

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move the parameters against their gradients."""
        moments = self.state.values()
        adam(
            list(self.state),
            [cast(Tensor, parameter.grad) for parameter in self.state],
            [each["exp_avg"] for each in moments],
            [each["exp_avg_sq"] for each in moments],
            [],
            [each["step"] for each in moments],
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
