{# USES_VARIABLES { _spikespace, _spikes_post, _target, _sources } #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    {% set _weights = get_array_name(weight_variable) %}
    {% set _number = cpp_dtype(weight_variable.dtype) %}
    cdef int32_t _num_pre = {{_spikespace}}[_sources]
    cdef int32_t _num_post = {{_spikes_post}}[{{targets}}]
    cdef int32_t _spike, _i, _j
    cdef size_t _at, _row
    cdef {{_number}} _total
    _vectorisation_idx = 1
    {{scalar_code['when']|autoindent}}
    if _delivers:
        for _spike in range(_num_pre):
            _row = <size_t>{{_spikespace}}[_spike]*{{targets}}
            for _j in range({{targets}}):
                {% if separate %}
                if {{_weights}}[_row + _j] > 0:
                    {{_target}}[_j] += {{_weights}}[_row + _j]
                else:
                    {{_negative}}[_j] -= {{_weights}}[_row + _j]
                {% else %}
                {{_target}}[_j] += {{_weights}}[_row + _j]
                {% endif %}
    {% if start %}
    if _starts:
        for _at in range(<size_t>_sources*{{targets}}):
            {% for _variable, _value in start.items() %}
            {{get_array_name(_variable)}}[_at] = {{_value}}
            {% endfor %}
    {% endif %}
    if _learns:
        pass
        {% for _name, _variable in held.items() %}
        {{_name}} = {{get_array_name(_variable)}}[_shown]
        {% endfor %}
        {% if row_of_targets %}
        for _j in range({{targets}}):
            {{get_array_name(row_of_targets)}}[_j] = {{get_array_name(all_targets)}}[_point*{{targets}} + _j]
        {% endif %}
        {% for _name, _reads in sums.items() %}
        {{_name}} = 0
        {{scalar_code[_name]|autoindent}}
        for _j in range({{targets}}):
            {% for _trace, _variable in _reads.post.items() %}
            {{_trace}} = {{get_array_name(_variable)}}[_j]
            {% endfor %}
            {{vector_code[_name]|autoindent}}
            {{_name}} += _of_{{_name}}
        {% endfor %}
        {{scalar_code['layer']|autoindent}}
        {% for _name, _block in feedback.items() %}
        {{scalar_code[_name]|autoindent}}
        for _i in range(_sources):
            _row = <size_t>_i*{{targets}}
            _total = 0
            {% for _own, _variable in _block.pre.items() %}
            {{_own}} = {{get_array_name(_variable)}}[_i]
            {% endfor %}
            for _j in range({{targets}}):
                {% for _own, _variable in _block.post.items() %}
                {{_own}} = {{get_array_name(_variable)}}[_j]
                {% endfor %}
                {% for _own, _variable in _block.arrays.items() %}
                {{_own}} = {{get_array_name(_variable)}}[_row + _j]
                {% endfor %}
                {{vector_code[_name]|autoindent}}
                if {{get_array_name(connected) + '[_row + _j] != 0' if connected else '_i != _j' if no_autapses else 'True'}}:
                    _total += _of_{{_name}}
            {{get_array_name(_block.sent)}}[_i] += _total
        {% endfor %}
    {% for _key, _block in blocks.items() %}
    if _runs_{{_key}}:
        {{scalar_code[_key]|autoindent}}
        {% if _key == 'on_pre' %}
        for _spike in range(_num_pre):
            _i = {{_spikespace}}[_spike]
        {% else %}
        for _i in range(_sources if {{'_num_post > 0' if _key == 'on_post' else 'True'}} else 0):
        {% endif %}
            _row = <size_t>_i*{{targets}}
            {% for _name, _variable in _block.pre.items() %}
            {{_name}} = {{get_array_name(_variable)}}[_i]
            {% endfor %}
            {% if _key == 'on_post' %}
            for _spike in range(_num_post):
                _j = {{_spikes_post}}[_spike]
            {% else %}
            for _j in range({{targets}}):
            {% endif %}
                {% for _name, _variable in _block.post.items() %}
                {{_name}} = {{get_array_name(_variable)}}[_j]
                {% endfor %}
                {% for _name, _variable in _block.arrays.items() %}
                {{_name}} = {{get_array_name(_variable)}}[_row + _j]
                {% endfor %}
                {% if numbered %}
                _synapse = <int64_t>_row + _j
                {% endif %}
                {{vector_code[_key]|autoindent}}
                {% for _name, _result in _block.results.items() %}
                {% if (connected or no_autapses) and _name == weight %}
                if {{get_array_name(connected) + '[_row + _j] != 0' if connected else '_i != _j'}}:
                    {{get_array_name(_block.arrays[_name])}}[_row + _j] = {{_result}}
                {% else %}
                {{get_array_name(_block.arrays[_name])}}[_row + _j] = {{_result}}
                {% endif %}
                {% endfor %}
    {% endfor %}
{% endblock %}
