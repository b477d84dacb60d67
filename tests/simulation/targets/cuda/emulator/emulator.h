// What CUDA's kernels need, on the host: threads run one after another, in either direction.
#ifndef BIOAE_EMULATOR_H
#define BIOAE_EMULATOR_H
#include <algorithm>
#include <cstddef>
#include <cstdint>

#define __global__
#define __device__
#define __host__

struct EmulatedIndex {
    unsigned x;
};

inline EmulatedIndex blockIdx, threadIdx, blockDim, gridDim;

template <typename Number, typename Other> Number atomicAdd(Number *address, Other value)
{
    const Number before = *address;
    *address += value;
    return before;
}

template <typename... Parameters> struct EmulatedLaunch {
    void (*kernel)(Parameters...);
    unsigned blocks, threads;

    void operator()(Parameters... arguments) const
    {
        static bool backwards = false; // no result may depend on the order
        backwards = !backwards;
        gridDim.x = blocks;
        blockDim.x = threads;
        for (unsigned n = 0; n < blocks * threads; n++) {
            const unsigned thread = backwards ? blocks * threads - 1 - n : n;
            blockIdx.x = thread / threads;
            threadIdx.x = thread % threads;
            kernel(arguments...);
        }
    }
};

template <typename... Parameters>
EmulatedLaunch<Parameters...> emulated_launch(void (*kernel)(Parameters...), unsigned blocks,
                                              unsigned threads)
{
    return {kernel, blocks, threads};
}
#endif
