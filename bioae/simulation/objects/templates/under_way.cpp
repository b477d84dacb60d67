{# USES_VARIABLES { N, _steps, _spikespace, _history, _history_count, _now, _begun } #}
{% extends 'common_group.cpp' %}

{% block before_code %}
    {{_begun}} = 0;
{% endblock %}

{% block maincode %}
    if (!{{_begun}})
        for (int32_t _step = 0; _step < _steps; _step++)
        {
            const int32_t _row = ({{_now}} + _step) % _steps;
            {{pathway}}.advance();
            {{pathway}}.push({{_history}} + (size_t)_row*N, {{_history_count}}[_row]);
        }
    {{_begun}} = 1;
    const int32_t _number = {{_spikespace}}[N];
    for (int32_t _spike = 0; _spike < _number; _spike++)
        {{_history}}[(size_t){{_now}}*N + _spike] = {{_spikespace}}[_spike];
    {{_history_count}}[{{_now}}] = _number;
    {{_now}} = ({{_now}} + 1) % _steps;
{% endblock %}
