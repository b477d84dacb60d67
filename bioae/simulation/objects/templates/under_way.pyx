{# USES_VARIABLES { N, _steps, _spikespace, _history, _history_count, _now, _begun } #}
{% extends 'common_group.pyx' %}

{% block before_code %}
    {{_begun}} = 0
{% endblock %}

{% block maincode %}
    cdef int32_t _step, _row, _spike, _number = {{_spikespace}}[N]
    if {{_begun}} == 0:
        for _step in range(_steps):
            _row = ({{_now}} + _step) % _steps
            _owner.receive([{{_history}}[_row*N + _spike] for _spike in range({{_history_count}}[_row])])
        {{_begun}} = 1
    for _spike in range(_number):
        {{_history}}[{{_now}}*N + _spike] = {{_spikespace}}[_spike]
    {{_history_count}}[{{_now}}] = _number
    {{_now}} = ({{_now}} + 1) % _steps
{% endblock %}
