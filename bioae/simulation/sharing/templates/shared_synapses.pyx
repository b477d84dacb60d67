{# USES_VARIABLES { _rows, _order, _sums, _place, _target, _channel_start, _first, _to, _start,
                    _length, _packed, _source_start, _source_stop, _source_all, _target_start,
                    _positions, _row, _targets } #}
{# WRITES_TO_READ_ONLY_VARIABLES { _rows, _sums, _packed } #}
{% extends 'common_group.pyx' %}

{% block before_code %}
    {{_packed}} = 0
{% endblock %}

{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    {% set _type = cpp_dtype(variables['_target'].dtype) %}
    {% set _ends = [(_sums, _target, variables['_target'])] %}
    {% if separate and _ends.append((_negative_sums, _negative, variables['_negative'])) %}{% endif %}
    cdef size_t _j, _at
    cdef int32_t _spike, _event, _s, _k, _channel, _position, _num_spikes, _n, _n_sent
    cdef int32_t _begin = _source_start, _end = _source_stop, _in_channel = _positions
    cdef int32_t* _spikes
    cdef {{_type}}* _weight
    cdef {{_type}}* _sum
    {% if separate %}
    cdef {{_type}}* _negative_sum
    {% endif %}
    cdef bint _added = False

    if {{_packed}} == 0:
        for _j in range(_num{{_rows}}):
            {{_rows}}[_j] = {{get_array_name(weight_variable)}}[{{_order}}[_j]]
        {{_packed}} = 1

    # scalar code
    _vectorisation_idx = 1
    {{ scalar_code | autoindent }}

    {% if delayed %}
    _spikes = {{_history}} + <size_t>{{_now}}*(_end - _begin)
    _num_spikes = {{_history_count}}[{{_now}}]
    {% else %}
    _spikes = {{_eventspace}}
    _num_spikes = {{_eventspace}}[_source_all]
    {% endif %}
    for _spike in range(_num_spikes):
        _event = _spikes[_spike]
        if _event < _begin or _event >= _end:
            continue
        _idx = _event
        _vectorisation_idx = _idx
        {{ vector_code | autoindent }}
        {% if conditional %}
        if not _counts:
            continue
        {% endif %}
        _added = True
        _channel = (_event - _begin)//_in_channel
        _position = (_event - _begin) - _channel*_in_channel
        for _s in range({{_first}}[_position], {{_first}}[_position + 1]):
            _weight = {{_rows}} + <size_t>_channel*_row + {{_start}}[_s]
            _at = {{_channel_start}}[_channel] + {{_to}}[_s]
            _sum = {{_sums}} + _at
            {% if separate %}
            _negative_sum = {{_negative_sums}} + _at
            {% endif %}
            _n = {{_length}}[_s]
            for _k in range(_n):
                {% set _times = '*_factor' if graded else '' %}
                {% if separate %}
                if _weight[_k] > 0:
                    _sum[_k] += _weight[_k]{{_times}}
                else:
                    _negative_sum[_k] -= _weight[_k]{{_times}}
                {% else %}
                _sum[_k] += _weight[_k]{{_times}}
                {% endif %}

    if _added:
        {% for _from, _into, _variable in _ends %}
        for _j in range(_targets):
            {% if _variable.conditional_write %}
            if {{get_array_name(_variable.conditional_write)}}[_target_start + _j]:
                {{_into}}[_target_start + _j] += {{_from}}[{{_place}}[_j]]
            {% else %}
            {{_into}}[_target_start + _j] += {{_from}}[{{_place}}[_j]]
            {% endif %}
        for _j in range(_targets):
            {{_from}}[_j] = 0
        {% endfor %}
    {% if delayed %}

    # New spikes replace those that have arrived.
    _n_sent = 0
    for _spike in range({{_eventspace}}[_source_all]):
        _event = {{_eventspace}}[_spike]
        if _event >= _begin and _event < _end:
            _spikes[_n_sent] = _event
            _n_sent += 1
    {{_history_count}}[{{_now}}] = _n_sent
    {{_now}} = ({{_now}} + 1) % _delay
    {% endif %}
{% endblock %}
