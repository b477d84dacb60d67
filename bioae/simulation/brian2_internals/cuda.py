"""brian2cuda's device, whose generated sources contain no values. It imports brian2cuda."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from brian2cuda.cuda_generator import CUDACodeGenerator
from brian2cuda.device import CUDAStandaloneDevice
from brian2cuda.utils import gputools

from bioae.simulation.brian2_internals.standalone import ValueFreeDevice


class ValueFreeCUDADevice(ValueFreeDevice, CUDAStandaloneDevice):  # type: ignore[misc]
    """A device for GPUs that reads values from files, as `ValueFreeDevice` does."""

    #: The compute capability that a GPU needs at least.
    least_capability: ClassVar[float]

    #: Texts of files to write next to the sources, by their names.
    added_headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.minimal_compute_capability = self.least_capability
        # brian2cuda looks for a compiler and a GPU once per process, and they may change.
        gputools.reset_cuda_installation()
        gputools.reset_gpu_selection()
        CUDACodeGenerator.universal_support_code = None

    def code_object(self, owner: Any, name: str, *args: Any, **options: Any) -> Any:
        """Make a code object; synapses use their own clock where brian2cuda uses Brian2's."""
        made = super().code_object(owner, name, *args, **options)
        if made.template_name == "synapses":
            source = made.code.cu_file.replace("defaultclock.", f"{owner.clock.name}.")
            made.code.cu_file = source
        return made

    def build(self, *args: Any, **options: Any) -> None:
        """Write a project; as `CUDAStandaloneDevice.build`."""
        self.main_queue = [each for entry in self.main_queue for each in _with_copy(entry)]
        super().build(*args, **options)

    def copy_source_files(self, writer: Any, directory: str) -> None:
        """Write the files that the sources include."""
        super().copy_source_files(writer, directory)
        for name, text in self.added_headers.items():
            writer.write(name, text)


def _with_copy(entry: tuple[str, Any]) -> list[tuple[str, Any]]:
    """Add a copy to the GPU after an entry that sets an array to one number on the host."""
    kind, arguments = entry
    if kind != "set_by_constant":
        return [entry]
    array, _, dynamic = arguments
    if array.endswith("space"):  # of events: empty at first, and several on the GPU
        return []
    size = f"{array}.size()" if dynamic else f"_num_{array}"
    on_gpu = f"thrust::raw_pointer_cast(&dev{array}[0])" if dynamic else f"dev{array}"
    copy = (
        f"CUDA_SAFE_CALL(cudaMemcpy({on_gpu}, &{array}[0], sizeof({array}[0])*{size}, "
        "cudaMemcpyHostToDevice));"
    )
    return [entry, ("insert_code", copy)]
