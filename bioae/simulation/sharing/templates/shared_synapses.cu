{# USES_VARIABLES { _rows, _order, _sums, _place, _target, _channel_start, _first, _to, _start,
                    _length, _packed, _source_start, _source_stop, _source_all, _target_start,
                    _positions, _row, _targets } #}
{# WRITES_TO_READ_ONLY_VARIABLES { _rows, _sums, _packed } #}
{# Steps that have to be complete before the next one are separate kernels: no block waits for
   another, and the host need not know the number of spikes. #}
{% extends 'common_group.cu' %}

{% block before_run_defines %}
extern bool {{codeobj_name}}_packed;
{% endblock %}

{% block before_run_host_maincode %}
    {{codeobj_name}}_packed = false;
{% endblock %}

{% block kernel %}
{% macro kernel_head(name) %}
__global__ void {{name}}_{{codeobj_name}}(
    const int32_t _turn,
    ///// KERNEL_PARAMETERS /////
    %KERNEL_PARAMETERS%
    )
{
    using namespace brian;

    ///// KERNEL_CONSTANTS /////
    %KERNEL_CONSTANTS%

    ///// kernel_lines /////
{% endmacro %}
{% set _eventspace = get_array_name(eventspace_variable) %}
{% set _number = c_data_type(variables['_target'].dtype) %}
{% set _ends = [(_sums, _target, variables['_target'])] %}
{% if separate and _ends.append((_negative_sums, _negative, variables['_negative'])) %}{% endif %}
{% set _times = '*_factor' if graded else '' %}
bool {{codeobj_name}}_packed = false;

{{kernel_head('_pack')}}
    {{kernel_lines|autoindent}}

    for (size_t _j = blockIdx.x * blockDim.x + threadIdx.x; _j < _num_rows;
         _j += gridDim.x * blockDim.x)
        {{_rows}}[_j] = {{get_array_name(weight_variable)}}[{{_order}}[_j]];
}

{{kernel_head('_run_kernel')}}
    {{kernel_lines|autoindent}}

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% if delayed %}
    const int32_t* const _spikes = {{_history}} + (size_t)_turn * (_source_stop - _source_start);
    const int32_t _num_spikes = {{_history_count}}[_turn];
    {% else %}
    const int32_t* const _spikes = {{_eventspace}};
    const int32_t _num_spikes = {{_eventspace}}[_source_all];
    {% endif %}
    // One spike per block; teams of threads share its segments.
    const int32_t _team_size = {{'blockDim.x' if whole else '32'}};
    const int32_t _member = threadIdx.x % _team_size;
    const int32_t _team = threadIdx.x / _team_size;
    const int32_t _teams = blockDim.x / _team_size;
    for (int32_t _spike = blockIdx.x; _spike < _num_spikes; _spike += gridDim.x)
    {
        const int32_t _idx = _spikes[_spike];
        if (_idx < _source_start || _idx >= _source_stop)
            continue;
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
        {% if conditional %}
        if (!_counts)
            continue;
        {% endif %}
        const int32_t _channel = (_idx - _source_start) / (int32_t)_positions;
        const int32_t _position = (_idx - _source_start) % (int32_t)_positions;
        for (int32_t _s = {{_first}}[_position] + _team; _s < {{_first}}[_position + 1];
             _s += _teams)
        {
            const {{_number}}* const _weight = {{_rows}} + (size_t)_channel*_row + {{_start}}[_s];
            const size_t _at = {{_channel_start}}[_channel] + {{_to}}[_s];
            const int32_t _n = {{_length}}[_s];
            for (int32_t _k = _member; _k < _n; _k += _team_size)
            {
                {% if separate %}
                if (_weight[_k] > 0)
                    atomicAdd({{_sums}} + _at + _k, ({{_number}})(_weight[_k]{{_times}}));
                else if (_weight[_k] < 0)
                    atomicAdd({{_negative_sums}} + _at + _k, ({{_number}})(-_weight[_k]{{_times}}));
                {% else %}
                atomicAdd({{_sums}} + _at + _k, ({{_number}})(_weight[_k]{{_times}}));
                {% endif %}
            }
        }
    }
}

{{kernel_head('_arrive')}}
    {{kernel_lines|autoindent}}

    const size_t _begin = blockIdx.x * blockDim.x + threadIdx.x;
    for (size_t _j = _begin; _j < _targets; _j += gridDim.x * blockDim.x)
    {
        const size_t _at = {{_place}}[_j];
        {% for _from, _into, _variable in _ends %}
        {% if _variable.conditional_write %}
        if ({{get_array_name(_variable.conditional_write)}}[_target_start + _j])
        {% endif %}
        {{_into}}[_target_start + _j] += {{_from}}[_at];
        {{_from}}[_at] = 0;
        {% endfor %}
    }
    {% if delayed %}
    if (_begin == 0)
        {{_history_count}}[_turn] = 0;
    {% endif %}
}
{% if delayed %}

{{kernel_head('_set_out')}}
    {{kernel_lines|autoindent}}

    // New spikes, in any order, replace those that have arrived.
    int32_t* const _spikes = {{_history}} + (size_t)_turn * (_source_stop - _source_start);
    for (int32_t _spike = blockIdx.x * blockDim.x + threadIdx.x;
         _spike < {{_eventspace}}[_source_all]; _spike += gridDim.x * blockDim.x)
    {
        const int32_t _idx = {{_eventspace}}[_spike];
        if (_idx >= _source_start && _idx < _source_stop)
            _spikes[atomicAdd({{_history_count}} + _turn, 1)] = _idx;
    }
}
{% endif %}
{% endblock %}

{% block define_N %}
{% endblock %}

{% block prepare_kernel %}
    const int _threads = 128;
    const int _blocks_of_spikes = std::min<int64_t>(_source_stop - _source_start, 1024);
    const int _blocks_of_sources =
        std::min<int64_t>((_source_stop - _source_start + _threads - 1) / _threads, 1024);
    const int _blocks_of_targets = std::min<int64_t>((_targets + _threads - 1) / _threads, 1024);
    const int _blocks_of_rows = std::min<int64_t>((_num_rows + _threads - 1) / _threads, 1024);
    static int32_t _turn = 0;
{% endblock %}

{% block kernel_call %}
{% macro launch(name, blocks, threads) %}
    {{name}}_{{codeobj_name}}<<<{{blocks}}, {{threads}}>>>(
            _turn,
            ///// HOST_PARAMETERS /////
            %HOST_PARAMETERS%
        );
    CUDA_CHECK_ERROR("{{name}}_{{codeobj_name}}");
{% endmacro %}
    // In the first step: the arguments of a standalone run have been read by then.
    if (!{{codeobj_name}}_packed)
    {
        {{launch('_pack', '_blocks_of_rows', '_threads')}}
        {{codeobj_name}}_packed = true;
    }
    {{launch('_run_kernel', '_blocks_of_spikes', '_threads')}}
    {{launch('_arrive', '_blocks_of_targets', '_threads')}}
    {% if delayed %}
    {{launch('_set_out', '_blocks_of_sources', '_threads')}}
    _turn = (_turn + 1) % _delay;
    {% endif %}
{% endblock %}
