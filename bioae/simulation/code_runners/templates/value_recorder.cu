{# USES_VARIABLES { N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { values } #}
{# One thread evaluates the condition for the host: only the host can extend the array. #}
{% extends 'common_group.cu' %}

{% block kernel %}
__global__ void _run_kernel_{{codeobj_name}}(
    bool* const _answer,
    ///// KERNEL_PARAMETERS /////
    %KERNEL_PARAMETERS%
    )
{
    using namespace brian;

    ///// KERNEL_CONSTANTS /////
    %KERNEL_CONSTANTS%

    ///// kernel_lines /////
    {{kernel_lines|autoindent}}

    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    *_answer = _holds;
}
{% endblock %}

{% block prepare_kernel %}
    static bool* _answer = nullptr;
    if (!_answer)
        CUDA_SAFE_CALL(cudaMalloc((void**)&_answer, sizeof(bool)));
{% endblock %}

{% block kernel_call %}
    {% set _values = get_array_name(variables['values'], access_data=False, prefix='dev') %}
    {% set _recorded = get_array_name(recorded_variable, prefix='dev') %}
    _run_kernel_{{codeobj_name}}<<<1, 1>>>(
            _answer,
            ///// HOST_PARAMETERS /////
            %HOST_PARAMETERS%
        );
    CUDA_CHECK_ERROR("_run_kernel_{{codeobj_name}}");

    bool _holds;
    CUDA_SAFE_CALL(cudaMemcpy(&_holds, _answer, sizeof(bool), cudaMemcpyDeviceToHost));
    if (_holds)
    {
        const size_t _length = {{_values}}.size();
        THRUST_CHECK_ERROR({{_values}}.resize(_length + _N));
        CUDA_SAFE_CALL(
                cudaMemcpy(thrust::raw_pointer_cast(&{{_values}}[_length]), {{_recorded}},
                    sizeof({{_recorded}}[0])*_N, cudaMemcpyDeviceToDevice)
                );
    }
{% endblock %}
