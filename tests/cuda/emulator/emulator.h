// What CUDA's kernels need, on the host: threads run one after another, in either direction.
#ifndef BIOAE_EMULATOR_H
#define BIOAE_EMULATOR_H
#include <algorithm>
#include <cstddef>
#include <cstdint>

#define __global__
#define __device__
#define __host__
#define CUDA_CHECK_ERROR(name)

namespace { // what a unit launches reads the unit's own indices

struct EmulatedIndex {
    int x;
};

EmulatedIndex blockIdx, threadIdx, blockDim, gridDim;

template <typename Number, typename Other> Number atomicAdd(Number *address, Other value)
{
    const Number before = *address;
    *address += value;
    return before;
}

template <typename... Parameters> struct EmulatedLaunch {
    void (*kernel)(Parameters...);
    int blocks, threads;

    void operator()(Parameters... arguments) const
    {
        static bool backwards = false; // no result may depend on the order
        backwards = !backwards;
        gridDim.x = blocks;
        blockDim.x = threads;
        for (int n = 0; n < blocks * threads; n++) {
            const int thread = backwards ? blocks * threads - 1 - n : n;
            blockIdx.x = thread / threads;
            threadIdx.x = thread % threads;
            kernel(arguments...);
        }
    }
};

template <typename... Parameters>
EmulatedLaunch<Parameters...> emulated_launch(void (*kernel)(Parameters...), int blocks, int threads)
{
    return {kernel, blocks, threads};
}

} // namespace
#endif
