{# USES_VARIABLES { _order, _place, _target, _channel_start, _first, _to, _start, _length, _packed,
                    _source_start, _source_stop, _source_all, _target_start, _positions, _row,
                    _targets } #}
{# WRITES_TO_READ_ONLY_VARIABLES { _packed } #}
{% extends 'common_group.cpp' %}

{% block before_code %}
    {{_packed}} = 0;
{% endblock %}

{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    {% set _number = c_data_type(variables['_target'].dtype) %}
    {% set _ends = [('_sums', _target, variables['_target'])] %}
    {% if separate and _ends.append(('_negative_sums', _negative, variables['_negative'])) %}{% endif %}
    {% if in_order %}
    const {{_number}}* const _rows = {{get_array_name(weight_variable)}};
    {% else %}
    // Aligned, so that vectors do not cross cache lines; not an array of Brian2, which would be
    // written to disk.
    alignas(64) static {{_number}} _rows[{{rows}}];
    {% endif %}
    {% for _from, _into, _variable in _ends %}
    {% if direct %}
    {{_number}}* const {{_from}} = {{_into}} + _target_start;
    {% else %}
    alignas(64) static {{_number}} {{_from}}[{{targets}}];
    {% endif %}
    {% endfor %}
    {% if not in_order %}
    // In the first step: the arguments of a standalone run have been read by then.
    if (!{{_packed}})
    {
        for (size_t _j = 0; _j < {{rows}}; _j++)
            _rows[_j] = {{get_array_name(weight_variable)}}[{{_order}}[_j]];
        {{_packed}} = 1;
    }
    {% endif %}

    // scalar code
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% if delayed %}
    int32_t* const _spikes = {{_history}} + (size_t){{_now}} * (_source_stop - _source_start);
    const int32_t _num_spikes = {{_history_count}}[{{_now}}];
    {% else %}
    const int32_t* const _spikes = {{_eventspace}};
    const int32_t _num_spikes = {{_eventspace}}[_source_all];
    {% endif %}
    bool _added = false;
    {% if at_once %}
    const {{_number}}* _arrived[4];
    int32_t _waiting = 0;
    {% else %}
    // The channel of the last spike: spikes are sorted, so it rarely changes.
    int32_t _channel = 0, _begin = 0, _end = 0;
    {% endif %}
    for (int32_t _spike = 0; _spike < _num_spikes; _spike++)
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
        _added = true;
        {% if at_once %}
        // Four rows per pass; each sum adds them in the order of the spikes.
        _arrived[_waiting++] = _rows + (size_t)(_idx - _source_start)*_row;
        if (_waiting < 4)
            continue;
        const {{_number}}* __restrict _a = _arrived[0];
        const {{_number}}* __restrict _b = _arrived[1];
        const {{_number}}* __restrict _c = _arrived[2];
        const {{_number}}* __restrict _d = _arrived[3];
        for (int32_t _k = 0; _k < {{targets}}; _k++)
            _sums[_k] = (((_sums[_k] + _a[_k]) + _b[_k]) + _c[_k]) + _d[_k];
        _waiting = 0;
        {% else %}
        const int32_t _local = _idx - _source_start;
        if (_local < _begin || _local >= _end)
        {
            _channel = _local / (int32_t)_positions;
            _begin = _channel * (int32_t)_positions;
            _end = _begin + (int32_t)_positions;
        }
        const int32_t _position = _local - _begin;
        for (int32_t _s = {{_first}}[_position]; _s < {{_first}}[_position + 1]; _s++)
        {
            const {{_number}}* __restrict _weight = _rows + (size_t)_channel*_row + {{'_s' if single else _start ~ '[_s]'}};
            const size_t _at = {{_channel_start}}[_channel] + {{_to}}[_s];
            {{_number}}* __restrict _sum = _sums + _at;
            {% if separate %}
            {{_number}}* __restrict _negative_sum = _negative_sums + _at;
            {% endif %}
            {% set _times = '*_factor' if graded else '' %}
            const int32_t _n = {{'1' if single else _length ~ '[_s]'}};
            {% if short and not separate %}
            // Without vectors, which would wait for parts that the previous spike has just written.
            volatile {{_number}}* const _scalars = _sum;
            for (int32_t _k = 0; _k < _n; _k += {{unit}})
            {
                {% for _u in range(unit) %}
                _scalars[_k + {{_u}}] = _scalars[_k + {{_u}}] + _weight[_k + {{_u}}]{{_times}};
                {% endfor %}
            }
            {% else %}
            // The compiler knows a divisor of the length: vectors leave no remainder.
            for (int32_t _k = 0; _k < _n; _k += {{unit}})
                for (int32_t _u = _k; _u < _k + {{unit}}; _u++)
                {
                    {% if separate %}
                    _sum[_u] += (_weight[_u] > 0 ? _weight[_u] : 0){{_times}};
                    _negative_sum[_u] += (_weight[_u] < 0 ? -_weight[_u] : 0){{_times}};
                    {% else %}
                    _sum[_u] += _weight[_u]{{_times}};
                    {% endif %}
                }
            {% endif %}
        }
        {% endif %}
    }
    {% if at_once %}
    for (int32_t _each = 0; _each < _waiting; _each++)
    {
        const {{_number}}* __restrict _weight = _arrived[_each];
        for (int32_t _k = 0; _k < {{targets}}; _k++)
            _sums[_k] += _weight[_k];
    }
    {% endif %}

    {% if not direct %}
    if (_added)
    {
        {% for _from, _into, _variable in _ends %}
        {% if in_place or _variable.conditional_write %}
        for (size_t _j = 0; _j < _targets; _j++)
            {% if _variable.conditional_write %}
            if ({{get_array_name(_variable.conditional_write)}}[_target_start + _j])
            {% endif %}
            {{_into}}[_target_start + _j] += {{_from}}[{{'_j' if in_place else _place + '[_j]'}}];
        {% else %}
        // From (position, channel) to (channel, position): squares of 8 turn in registers.
        {% set _channels, _places = turned %}
        for (size_t _group = 0; _group < _targets; _group += {{_channels*_places}})
            for (size_t _c = 0; _c < {{_channels}}; _c += 8)
                for (size_t _p = 0; _p < {{_places}}; _p += 8)
                {
                    const {{_number}}* const _square = {{_from}} + _group + _p*{{_channels}} + _c;
                    {{_number}}* const _reached = {{_into}} + _target_start + _group + _c*{{_places}} + _p;
                    if (_c + 8 <= {{_channels}} && _p + 8 <= {{_places}})
                    {
                        {{_number}} _turned[8][8];
                        for (int _y = 0; _y < 8; _y++)
                            for (int _x = 0; _x < 8; _x++)
                                _turned[_x][_y] = _square[_y*{{_channels}} + _x];
                        for (int _x = 0; _x < 8; _x++)
                            for (int _y = 0; _y < 8; _y++)
                                _reached[_x*{{_places}} + _y] += _turned[_x][_y];
                    }
                    else
                        for (size_t _x = 0; _x < 8 && _c + _x < {{_channels}}; _x++)
                            for (size_t _y = 0; _y < 8 && _p + _y < {{_places}}; _y++)
                                _reached[_x*{{_places}} + _y] += _square[_y*{{_channels}} + _x];
                }
        {% endif %}
        for (size_t _j = 0; _j < _targets; _j++)
            {{_from}}[_j] = 0;
        {% endfor %}
    }
    {% endif %}
    {% if delayed %}

    // New spikes replace those that have arrived.
    int32_t _n_sent = 0;
    for (int32_t _spike = 0; _spike < {{_eventspace}}[_source_all]; _spike++)
        if ({{_eventspace}}[_spike] >= _source_start && {{_eventspace}}[_spike] < _source_stop)
            _spikes[_n_sent++] = {{_eventspace}}[_spike];
    {{_history_count}}[{{_now}}] = _n_sent;
    {{_now}} = ({{_now}} + 1) % _delay;
    {% endif %}
{% endblock %}
