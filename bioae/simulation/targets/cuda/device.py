"""brian2cuda's device, made so that no value stands in the sources that it writes."""

from __future__ import annotations

from typing import Any

from brian2cuda.cuda_generator import CUDACodeGenerator
from brian2cuda.device import CUDAStandaloneDevice
from brian2cuda.utils import gputools

from bioae.noise.brian import CUDA_HEADER, cuda_source
from bioae.simulation.targets.cuda.requirements import LEAST_CAPABILITY, Toolkit, compute_capability
from bioae.simulation.targets.standalone import ValueFreeDevice

__all__ = ["ValueFreeCUDADevice", "settings"]

#: How kernels are compiled: brian2cuda's defaults add -use_fast_math.
IEEE_FLAGS = ["-w", "-O3", "-fmad=false", "-std=c++17"]

#: What is compiled for where there is no GPU to run it on.
_ANY_CAPABILITY = 8.0


class ValueFreeCUDADevice(ValueFreeDevice, CUDAStandaloneDevice):  # type: ignore[misc]
    """A device for GPUs that reads values from files, as `ValueFreeDevice` does."""

    def __init__(self) -> None:
        super().__init__()
        self.minimal_compute_capability = LEAST_CAPABILITY
        # brian2cuda looks for a compiler and a GPU once in a process, and they may change.
        gputools.reset_cuda_installation()
        gputools.reset_gpu_selection()
        CUDACodeGenerator.universal_support_code = None

    def code_object(self, owner: Any, name: str, *args: Any, **options: Any) -> Any:
        """Make a code object; synapses ask their own clock where brian2cuda asks Brian2's."""
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
        """Write what the sources include."""
        super().copy_source_files(writer, directory)
        writer.write(CUDA_HEADER, cuda_source())


def settings() -> dict[str, Any]:
    """Return brian2cuda's preferences, for the compiler and the GPU that there are.

    Without a compiler, sources can be written and no more.
    """
    toolkit = Toolkit.find()
    values = {
        "detect_gpus": False,
        "detect_cuda": False,
        "gpu_id": 0,  # of those that CUDA_VISIBLE_DEVICES leaves
        "compute_capability": compute_capability() or _ANY_CAPABILITY,
        "cuda_path": str(toolkit.folder if toolkit else "/usr/local/cuda"),
        "cuda_runtime_version": toolkit.version if toolkit else 12.0,
        "extra_compile_args_nvcc": list(IEEE_FLAGS),
    }
    return {f"devices.cuda_standalone.cuda_backend.{name}": value for name, value in values.items()}


def _with_copy(entry: tuple[str, Any]) -> list[tuple[str, Any]]:
    """Follow what sets an array to one number, which is done on the host, by a copy to the GPU."""
    kind, arguments = entry
    if kind != "set_by_constant":
        return [entry]
    array, _, dynamic = arguments
    if array.endswith("space"):  # of events: empty to begin with, and several on the GPU
        return []
    size = f"{array}.size()" if dynamic else f"_num_{array}"
    there = f"thrust::raw_pointer_cast(&dev{array}[0])" if dynamic else f"dev{array}"
    copy = (
        f"CUDA_SAFE_CALL(cudaMemcpy({there}, &{array}[0], sizeof({array}[0])*{size}, "
        "cudaMemcpyHostToDevice));"
    )
    return [entry, ("insert_code", copy)]
