// The parts of CUDA's library that brian2cuda's projects use; the memory of the GPU is that of the host.
#ifndef BIOAE_EMULATED_CUDA_H
#define BIOAE_EMULATED_CUDA_H
#include "../emulator.h"
#include <cassert>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <vector>

#define __CUDA_ARCH__ 800
#define __launch_bounds__(...)
#define __shared__ static

using std::max;
using std::min;

enum cudaError { cudaSuccess, cudaErrorMemoryAllocation };
typedef cudaError cudaError_t;
enum { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaLimitMallocHeapSize };

struct cudaDeviceProp {
    int multiProcessorCount = 2, maxThreadsPerBlock = 64, maxThreadsPerMultiProcessor = 128;
    int sharedMemPerBlock = 1 << 15, warpSize = 32, major = 8, minor = 0;
};

struct cudaFuncAttributes {
    int maxThreadsPerBlock = 64, numRegs = 0, sharedSizeBytes = 0, localSizeBytes = 0,
        constSizeBytes = 0;
};

inline const char *cudaGetErrorString(cudaError) { return "emulated"; }
inline cudaError cudaGetLastError() { return cudaSuccess; }
inline cudaError cudaSetDevice(int) { return cudaSuccess; }
inline cudaError cudaDeviceSetLimit(int, size_t) { return cudaSuccess; }
inline cudaError cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError cudaProfilerStop() { return cudaSuccess; }
inline cudaError cudaGetDeviceProperties(cudaDeviceProp *properties, int)
{
    *properties = cudaDeviceProp();
    return cudaSuccess;
}
inline cudaError cudaMemGetInfo(size_t *free, size_t *total)
{
    *free = *total = 0;
    return cudaSuccess;
}
template <typename Pointer> cudaError cudaMalloc(Pointer **pointer, size_t size)
{
    *pointer = static_cast<Pointer *>(std::malloc(size + 1));
    std::memset(*pointer, 0xA5, size); // what is not written is not 0
    return cudaSuccess;
}
template <typename Pointer> cudaError cudaFree(Pointer *) { return cudaSuccess; }
inline cudaError cudaMemcpy(void *to, const void *from, size_t size, int)
{
    std::memmove(to, from, size);
    return cudaSuccess;
}
inline cudaError cudaMemset(void *to, int value, size_t size)
{
    std::memset(to, value, size);
    return cudaSuccess;
}
template <typename Symbol, typename Value>
cudaError cudaMemcpyToSymbol(Symbol &symbol, const Value *from, size_t size)
{
    std::memcpy(&symbol, from, size);
    return cudaSuccess;
}
template <typename Kernel>
cudaError cudaOccupancyMaxPotentialBlockSize(int *blocks, int *threads, Kernel, size_t, int)
{
    *blocks = 1;
    *threads = 64;
    return cudaSuccess;
}
template <typename Kernel>
cudaError cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Kernel, int, size_t)
{
    *blocks = 1;
    return cudaSuccess;
}
template <typename Kernel> cudaError cudaFuncGetAttributes(cudaFuncAttributes *attributes, Kernel)
{
    *attributes = cudaFuncAttributes();
    return cudaSuccess;
}

// Nothing that waits for other threads runs here: it would need them to run at once.
inline void __syncthreads() { std::abort(); }
inline void __threadfence() { std::abort(); }
inline int atomicCAS(int *, int, int) { std::abort(); }
inline unsigned long long atomicCAS(unsigned long long *, unsigned long long, unsigned long long)
{
    std::abort();
}
inline unsigned long long atomicExch(unsigned long long *, unsigned long long) { std::abort(); }
template <typename Number> Number atomicMax(Number *, Number) { std::abort(); }
inline int __float_as_int(float) { std::abort(); }
inline float __int_as_float(int) { std::abort(); }
inline long long __double_as_longlong(double) { std::abort(); }
inline double __longlong_as_double(long long) { std::abort(); }

// brian2cuda initialises cuRAND, and draws nothing from it: bioae's noise is its own.
#define CURAND_H_
enum curandStatus_t {
    CURAND_STATUS_SUCCESS, CURAND_STATUS_VERSION_MISMATCH, CURAND_STATUS_NOT_INITIALIZED,
    CURAND_STATUS_ALLOCATION_FAILED, CURAND_STATUS_TYPE_ERROR, CURAND_STATUS_OUT_OF_RANGE,
    CURAND_STATUS_LENGTH_NOT_MULTIPLE, CURAND_STATUS_DOUBLE_PRECISION_REQUIRED,
    CURAND_STATUS_LAUNCH_FAILURE, CURAND_STATUS_PREEXISTING_FAILURE,
    CURAND_STATUS_INITIALIZATION_FAILED, CURAND_STATUS_ARCH_MISMATCH,
    CURAND_STATUS_INTERNAL_ERROR
};
enum { CURAND_RNG_PSEUDO_DEFAULT };
typedef int curandGenerator_t;
typedef int curandState;
inline curandStatus_t curandCreateGenerator(int *, int) { return CURAND_STATUS_SUCCESS; }
inline curandStatus_t curandDestroyGenerator(int) { return CURAND_STATUS_SUCCESS; }
inline curandStatus_t curandSetPseudoRandomGeneratorSeed(int, unsigned long long)
{
    return CURAND_STATUS_SUCCESS;
}
inline curandStatus_t curandSetGeneratorOffset(int, unsigned long long)
{
    return CURAND_STATUS_SUCCESS;
}
inline void curand_init(unsigned long long, unsigned long long, unsigned long long, curandState *) {}
template <typename... Parameters> curandStatus_t curandGenerateUniform(Parameters...) { std::abort(); }
template <typename... Parameters> curandStatus_t curandGenerateUniformDouble(Parameters...) { std::abort(); }
template <typename... Parameters> curandStatus_t curandGenerateNormal(Parameters...) { std::abort(); }
template <typename... Parameters> curandStatus_t curandGenerateNormalDouble(Parameters...) { std::abort(); }
template <typename... Parameters> curandStatus_t curandGeneratePoisson(Parameters...) { std::abort(); }

namespace thrust {

template <typename T> struct host_vector : std::vector<T> {
    using std::vector<T>::vector;
    host_vector() = default;
    template <typename Other> host_vector &operator=(const Other &other)
    {
        this->assign(other.begin(), other.end());
        return *this;
    }
};

template <typename T> struct device_vector : std::vector<T> {
    using std::vector<T>::vector;
    device_vector() = default;
    template <typename Other> device_vector &operator=(const Other &other)
    {
        this->assign(other.begin(), other.end());
        return *this;
    }
};

template <typename T> T *raw_pointer_cast(T *pointer) { return pointer; }

struct system_error : std::exception {
};

} // namespace thrust
#endif
