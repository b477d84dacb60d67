{# USES_VARIABLES { N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { i, count } #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    {% set _i = get_array_name(variables['i'], access_data=False) %}
    const int32_t* const _spikes = {{get_array_name(recorded_variable)}};
    const int32_t _n = _spikes[N];
    {{_i}}.insert({{_i}}.end(), _spikes, _spikes + _n);
    {{get_array_name(variables['count'], access_data=False)}}.push_back(_n);
{% endblock %}
