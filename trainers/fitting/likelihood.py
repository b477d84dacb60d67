"""Maximum-likelihood fits of a neuron model's parameters to recorded spikes, by teacher forcing.

Source: Williams & Zipser 1989, Neural Computation 1:270; for integrate-and-fire neurons Paninski,
Pillow & Simoncelli 2004, Neural Computation 16:2533.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from bioae.noise import Key
from bioae.trainers.mirror.connections.pathways import Arrived
from bioae.trainers.mirror.neuron import NeuronMirror


class ForcedNeuron(NeuronMirror):
    """A teacher-forced population: it resets at recorded spikes, not at its own.

    The state after a spike is then smooth in the parameters: gradients are exact, no spike
    derivative is needed, and a wrong spike does not affect later ones.
    """

    def negative_log_likelihood(
        self,
        arriving: Sequence[Arrived | None],
        spikes: Tensor,
        *,
        width: float,
        key: Key | None = None,
    ) -> Tensor:
        """Return the negative log-likelihood of recorded spikes, per spike.

        In each step outside refractoriness, a neuron fires with the probability
        ``1 / (1 + exp(-tanh(x) / width))``, where x is the distance to threshold over the scale of
        the model's surrogate: escape noise, logistic near the threshold. The hyperbolic tangent
        bounds the contribution of a neuron that runs away above threshold until a recorded spike
        resets it.

        Parameters
        ----------
        arriving
            The input of each step of a period, see `NeuronMirror.forward`.
        spikes
            The recorded spikes (time, example, neuron), 0 or 1, at least one.
        width
            The width of the escape noise, in units of the surrogate's scale; in the limit of 0 the
            neuron is deterministic.
        key
            The key of a noisy model's noise.
        """
        lead_in = self.schedule.lead_in
        values = self.start(spikes.shape[1], key)
        loss = spikes.new_zeros(())
        for step, each in enumerate(arriving, start=-lead_in):
            values |= self.at(step, key)
            values["_forced"] = spikes[step] if step >= 0 else torch.zeros_like(spikes[0])
            self.step(values, each)
            if step >= 0:
                logits = (values["_excess"] / width).expand_as(spikes[step])
                terms = binary_cross_entropy_with_logits(logits, spikes[step], reduction="none")
                loss = loss + torch.where(values["_ready"], terms, 0).sum()
        return loss / spikes.sum()

    def _threshold(self, values: dict[str, Tensor], given: Tensor | None) -> None:
        forced = values["_forced"]
        ready = values["not_refractory"] if self.program.refractory else torch.tensor(True)
        distance, scale = self._stepper.distance(values), self._stepper.scale(values)
        values["_excess"] = torch.tanh(distance / scale.abs())
        values["_ready"] = ready.expand_as(forced)
        values["_fired"], values["_spike"] = forced.bool(), forced
        self._stepper.on_spike(values)
