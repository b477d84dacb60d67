{# USES_VARIABLES { N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { i, count } #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    _spikes = _namespace["{{get_array_name(recorded_variable)}}"]
    _owner.append("i", _spikes[:_spikes[N]])
    _owner.append("count", _spikes[N:])
{% endblock %}
