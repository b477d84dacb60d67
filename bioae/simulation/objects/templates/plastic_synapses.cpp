{# USES_VARIABLES { _spikespace, _spikes_post, _target, _sources } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    {% set _weights = get_array_name(weight_variable) %}
    {% set _number = c_data_type(weight_variable.dtype) %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code['when']|autoindent}}
    const int32_t _num_pre = {{_spikespace}}[_sources];
    const int32_t _num_post = {{_spikes_post}}[{{targets}}];
    if (_delivers && _num_pre > 0)
    {
        alignas(64) static {{_number}} _sums[{{targets}}];
        {% if separate %}
        alignas(64) static {{_number}} _negative_sums[{{targets}}];
        {% endif %}
        for (int32_t _spike = 0; _spike < _num_pre; _spike++)
        {
            const {{_number}}* __restrict _row = {{_weights}} + (size_t){{_spikespace}}[_spike]*{{targets}};
            for (int32_t _j = 0; _j < {{targets}}; _j++)
            {
                {% if separate %}
                _sums[_j] += _row[_j] > 0 ? _row[_j] : 0;
                _negative_sums[_j] += _row[_j] < 0 ? -_row[_j] : 0;
                {% else %}
                _sums[_j] += _row[_j];
                {% endif %}
            }
        }
        for (int32_t _j = 0; _j < {{targets}}; _j++)
        {
            {{_target}}[_j] += _sums[_j];
            _sums[_j] = 0;
            {% if separate %}
            {{_negative}}[_j] += _negative_sums[_j];
            _negative_sums[_j] = 0;
            {% endif %}
        }
    }
    {% if 'on_pre' in blocks %}
    {% set _block = blocks['on_pre'] %}
    if (_learns_pre && _num_pre > 0)
    {
        {{scalar_code['on_pre']|autoindent}}
        for (int32_t _spike = 0; _spike < _num_pre; _spike++)
        {
            const int32_t _i = {{_spikespace}}[_spike];
            {{_number}}* __restrict _row = {{_weights}} + (size_t)_i*{{targets}};
            {% for _name, _variable in _block.pre.items() %}
            const {{c_data_type(_variable.dtype)}} {{_name}} = {{get_array_name(_variable)}}[_i];
            {% endfor %}
            {% if no_autapses %}
            const {{_number}} _kept = _row[_i];
            {% endif %}
            for (int32_t _j = 0; _j < {{targets}}; _j++)
            {
                {% for _name, _variable in _block.post.items() %}
                const {{c_data_type(_variable.dtype)}} {{_name}} = {{get_array_name(_variable)}}[_j];
                {% endfor %}
                const {{_number}} {{weight}} = _row[_j];
                {{vector_code['on_pre']|autoindent}}
                _row[_j] = {{_block.result}};
            }
            {% if no_autapses %}
            _row[_i] = _kept;
            {% endif %}
        }
    }
    {% endif %}
    {% if 'on_post' in blocks %}
    {% set _block = blocks['on_post'] %}
    if (_learns_post && _num_post > 0)
    {
        {{scalar_code['on_post']|autoindent}}
        // Row by row, in which the weights of a source lie next to each other.
        for (int32_t _i = 0; _i < _sources; _i++)
        {
            {{_number}}* __restrict _row = {{_weights}} + (size_t)_i*{{targets}};
            {% for _name, _variable in _block.pre.items() %}
            const {{c_data_type(_variable.dtype)}} {{_name}} = {{get_array_name(_variable)}}[_i];
            {% endfor %}
            for (int32_t _spike = 0; _spike < _num_post; _spike++)
            {
                const int32_t _j = {{_spikes_post}}[_spike];
                {% if no_autapses %}
                if (_j == _i)
                    continue;
                {% endif %}
                {% for _name, _variable in _block.post.items() %}
                const {{c_data_type(_variable.dtype)}} {{_name}} = {{get_array_name(_variable)}}[_j];
                {% endfor %}
                const {{_number}} {{weight}} = _row[_j];
                {{vector_code['on_post']|autoindent}}
                _row[_j] = {{_block.result}};
            }
        }
    }
    {% endif %}
{% endblock %}
