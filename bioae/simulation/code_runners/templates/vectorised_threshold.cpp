{# USES_VARIABLES { N } #}
{% extends 'threshold.cpp' %}

{% block extra_headers %}
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
{% endblock %}

{% block maincode %}
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    // One pass without branches, which the compiler vectorises; then 64 neurons at a time.
    alignas(16) static char _fires[(N + 63)/64*64];
    for (size_t _idx = 0; _idx < N; _idx++)
    {
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
        _fires[_idx] = _cond ? 1 : 0;
    }
    {% set _eventspace = get_array_name(eventspace_variable) %}
    int32_t _count = 0;
    for (size_t _start = 0; _start < N; _start += 64)
    {
        uint64_t _bits = 0;
        #ifdef __SSE2__
        for (int _k = 0; _k < 64; _k += 16)
        {
            const __m128i _bytes = _mm_load_si128((const __m128i*)(_fires + _start + _k));
            _bits |= (uint64_t)_mm_movemask_epi8(_mm_slli_epi16(_bytes, 7)) << _k;
        }
        #else
        for (int _k = 0; _k < 8; _k++)
        {
            // Collect the lowest bits of eight bytes in the highest byte.
            uint64_t _bytes;
            std::memcpy(&_bytes, _fires + _start + 8*_k, 8);
            _bits |= (_bytes*0x0102040810204080ULL >> 56) << 8*_k;
        }
        #endif
        for (; _bits; _bits &= _bits - 1)
            {{_eventspace}}[_count++] = _start + __builtin_ctzll(_bits);
    }
    {{_eventspace}}[N] = _count;
    {% if _uses_refractory %}
    for (int32_t _spike = 0; _spike < _count; _spike++)
    {
        const int32_t _idx = {{_eventspace}}[_spike];
        {{not_refractory}}[_idx] = false;
        {{lastspike}}[_idx] = {{t}};
    }
    {% endif %}
{% endblock %}

{# Brian2 clears the spikes when a run ends. Where synapses come before thresholds they are still to
   be delivered, in the next run. #}
{% block after_code %}
// EMPTY_CODE_BLOCK
{% endblock %}
