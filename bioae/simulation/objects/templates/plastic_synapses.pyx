{# USES_VARIABLES { _spikespace, _spikes_post, _target, _sources } #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    {% set _weights = get_array_name(weight_variable) %}
    {% set _number = cpp_dtype(weight_variable.dtype) %}
    cdef int32_t _num_pre = {{_spikespace}}[_sources]
    cdef int32_t _num_post = {{_spikes_post}}[{{targets}}]
    cdef int32_t _spike, _i, _j
    cdef {{_number}}* _row
    {% if no_autapses %}
    cdef {{_number}} _kept
    {% endif %}
    _vectorisation_idx = 1
    {{scalar_code['when']|autoindent}}
    if _delivers:
        for _spike in range(_num_pre):
            _row = {{_weights}} + <size_t>{{_spikespace}}[_spike]*{{targets}}
            for _j in range({{targets}}):
                {% if separate %}
                if _row[_j] > 0:
                    {{_target}}[_j] += _row[_j]
                else:
                    {{_negative}}[_j] -= _row[_j]
                {% else %}
                {{_target}}[_j] += _row[_j]
                {% endif %}
    {% if 'on_pre' in blocks %}
    {% set _block = blocks['on_pre'] %}
    if _learns_pre:
        {{scalar_code['on_pre']|autoindent}}
        for _spike in range(_num_pre):
            _i = {{_spikespace}}[_spike]
            _row = {{_weights}} + <size_t>_i*{{targets}}
            {% for _name, _variable in _block.pre.items() %}
            {{_name}} = {{get_array_name(_variable)}}[_i]
            {% endfor %}
            {% if no_autapses %}
            _kept = _row[_i]
            {% endif %}
            for _j in range({{targets}}):
                {% for _name, _variable in _block.post.items() %}
                {{_name}} = {{get_array_name(_variable)}}[_j]
                {% endfor %}
                {{weight}} = _row[_j]
                {{vector_code['on_pre']|autoindent}}
                _row[_j] = {{_block.result}}
            {% if no_autapses %}
            _row[_i] = _kept
            {% endif %}
    {% endif %}
    {% if 'on_post' in blocks %}
    {% set _block = blocks['on_post'] %}
    if _learns_post and _num_post > 0:
        {{scalar_code['on_post']|autoindent}}
        for _i in range(_sources):
            _row = {{_weights}} + <size_t>_i*{{targets}}
            {% for _name, _variable in _block.pre.items() %}
            {{_name}} = {{get_array_name(_variable)}}[_i]
            {% endfor %}
            for _spike in range(_num_post):
                _j = {{_spikes_post}}[_spike]
                {% if no_autapses %}
                if _j == _i:
                    continue
                {% endif %}
                {% for _name, _variable in _block.post.items() %}
                {{_name}} = {{get_array_name(_variable)}}[_j]
                {% endfor %}
                {{weight}} = _row[_j]
                {{vector_code['on_post']|autoindent}}
                _row[_j] = {{_block.result}}
    {% endif %}
{% endblock %}
