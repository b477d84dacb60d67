{# USES_VARIABLES { N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { values } #}
{% extends 'common_group.pyx' %}

{% block maincode %}
    _vectorisation_idx = 1
    {{scalar_code|autoindent}}
    if _holds:
        _owner.append("values", _namespace["{{get_array_name(recorded_variable)}}"])
{% endblock %}
