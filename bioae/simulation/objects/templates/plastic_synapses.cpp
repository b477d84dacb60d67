{# USES_VARIABLES { _spikespace, _spikes_post, _target, _sources, _copied } #}
{# WRITES_TO_READ_ONLY_VARIABLES { _copied } #}
{% extends 'common_group.cpp' %}

{% block before_code %}
    {{_copied}} = 0;
{% endblock %}

{% block extra_headers %}
{{copies}}
{% endblock %}

{% block maincode %}
    {% macro loads(variables, index) %}
    {% for _name, _variable in variables.items() %}
    const {{c_data_type(_variable.dtype)}} {{_name}} = {{get_array_name(_variable)}}[{{index}}];
    {% endfor %}
    {% endmacro %}
    {% macro row(block) %}
    {% for _name, _variable in block.arrays.items() %}
    {{c_data_type(_variable.dtype)}}* __restrict _row_{{_name}} = {{get_array_name(_variable)}} + (size_t)_i*{{targets}};
    {% endfor %}
    {% if connected and weight in block.results %}
    const {{c_data_type(connected.dtype)}}* __restrict _connected = {{get_array_name(connected)}} + (size_t)_i*{{targets}};
    {% endif %}
    {{loads(block.pre, '_i')}}
    {% endmacro %}
    {% macro synapse(key, block) %}
    {{loads(block.post, '_j')}}
    {% for _name, _variable in block.arrays.items() %}
    const {{c_data_type(_variable.dtype)}} {{_name}} = _row_{{_name}}[_j];
    {% endfor %}
    {% if numbered %}
    const int64_t _synapse = (int64_t)_i*{{targets}} + _j;
    {% endif %}
    {{vector_code[key]|autoindent}}
    {% for _name, _result in block.results.items() %}
    {% if connected and _name == weight %}
    _row_{{_name}}[_j] = _connected[_j] != 0 ? {{_result}} : {{_name}};
    {% else %}
    _row_{{_name}}[_j] = {{_result}};
    {% endif %}
    {% endfor %}
    {% endmacro %}
    {% macro whole_row(key, block) %}
    {% set _keeps = no_autapses and weight in block.results %}
    {{row(block)}}
    {% if _keeps %}
    const {{c_data_type(weight_variable.dtype)}} _kept = _row_{{weight}}[_i];
    {% endif %}
    for (int32_t _j = 0; _j < {{targets}}; _j++)
    {
        {{synapse(key, block)}}
    }
    {% if _keeps %}
    _row_{{weight}}[_i] = _kept;
    {% endif %}
    {% endmacro %}
    {% set _weights = get_array_name(weight_variable) %}
    {% set _number = c_data_type(weight_variable.dtype) %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code['when']|autoindent}}
    const int32_t _num_pre = {{_spikespace}}[_sources];
    const int32_t _num_post = {{_spikes_post}}[{{targets}}];
    {% if copies %}
    static WeightCopies<_sources, {{targets}}> _copies;
    // In the first step: the arguments of a standalone run have been read by then.
    if (!{{_copied}})
        _copies.reset();
    {{_copied}} = 1;
    if (_delivers && _num_pre > 0 && _copies.exact && _copies.update({{_weights}}, {{_spikespace}}, _num_pre))
        _copies.add({{_spikespace}}, _num_pre, {{_target}}, {{_negative if separate else 'nullptr'}});
    else
    {% endif %}
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
    {% if start %}
    if (_starts)
        for (size_t _at = 0; _at < (size_t)_sources*{{targets}}; _at++)
        {
            {% for _variable, _value in start.items() %}
            {{get_array_name(_variable)}}[_at] = {{_value}};
            {% endfor %}
        }
    {% endif %}
    if (_learns)
    {
        {% for _name, _variable in held.items() %}
        const {{c_data_type(_variable.dtype)}} {{_name}} = {{get_array_name(_variable)}}[_shown];
        {% endfor %}
        {% if row_of_targets %}
        for (int32_t _j = 0; _j < {{targets}}; _j++)
            {{get_array_name(row_of_targets)}}[_j] = {{get_array_name(all_targets)}}[_point*{{targets}} + _j];
        {% endif %}
        {% for _name in sums %}
        {{_number}} {{_name}} = 0;
        {% endfor %}
        {% for _name, _reads in sums.items() %}
        {
            {{scalar_code[_name]|autoindent}}
            for (int32_t _j = 0; _j < {{targets}}; _j++)
            {
                {{loads(_reads.post, '_j')}}
                {{vector_code[_name]|autoindent}}
                {{_name}} += _of_{{_name}};
            }
        }
        {% endfor %}
        {{scalar_code['layer']|autoindent}}
        {% for _name, _block in feedback.items() %}
        {
            {{scalar_code[_name]|autoindent}}
            for (int32_t _i = 0; _i < _sources; _i++)
            {
                {{row(_block)}}
                {{_number}} _total = 0;
                for (int32_t _j = 0; _j < {{targets}}; _j++)
                {
                    {{loads(_block.post, '_j')}}
                    {% for _own, _variable in _block.arrays.items() %}
                    const {{c_data_type(_variable.dtype)}} {{_own}} = _row_{{_own}}[_j];
                    {% endfor %}
                    {{vector_code[_name]|autoindent}}
                    if ({{get_array_name(connected) + '[(size_t)_i*' + targets|string + ' + _j] != 0' if connected else '_i != _j' if no_autapses else 'true'}})
                        _total += _of_{{_name}};
                }
                {{get_array_name(_block.sent)}}[_i] += _total;
            }
        }
        {% endfor %}
        {% for _key, _block in blocks.items() %}
        if (_runs_{{_key}})
        {
            {{scalar_code[_key]|autoindent}}
            {% if copies and weight in _block.results and _key == 'on_post' %}
            for (int32_t _spike = 0; _spike < _num_post; _spike++)
                _copies.change({{_spikes_post}}[_spike]);
            {% elif copies and weight in _block.results %}
            _copies.change_all();
            {% endif %}
            {% if _key == 'on_pre' %}
            for (int32_t _spike = 0; _spike < _num_pre; _spike++)
            {
                const int32_t _i = {{_spikespace}}[_spike];
                {{whole_row(_key, _block)}}
            }
            {% elif _key == 'on_post' %}
            // Row by row, in which the weights of a source lie next to each other. Few of a row are
            // needed, which the processor does not foresee: those of later rows are fetched ahead.
            if (_num_post > 0)
                for (int32_t _i = 0; _i < _sources; _i++)
                {
                    {{row(_block)}}
                    for (int32_t _spike = 0; _spike < _num_post; _spike++)
                    {
                        const int32_t _j = {{_spikes_post}}[_spike];
                        {% for _name in _block.arrays %}
                        __builtin_prefetch(_row_{{_name}} + 16*{{targets}} + _j, 1);
                        {% endfor %}
                        {% if connected and weight in _block.results %}
                        __builtin_prefetch(_connected + 16*{{targets}} + _j);
                        {% endif %}
                        {% if no_autapses and weight in _block.results %}
                        const {{_number}} _kept = _row_{{weight}}[_j];
                        {{synapse(_key, _block)}}
                        if (_j == _i)
                            _row_{{weight}}[_j] = _kept;
                        {% else %}
                        {{synapse(_key, _block)}}
                        {% endif %}
                    }
                }
            {% else %}
            for (int32_t _i = 0; _i < _sources; _i++)
            {
                {{whole_row(_key, _block)}}
            }
            {% endif %}
        }
        {% endfor %}
    }
{% endblock %}
