{# Stands in for brian2cuda's template of the same name, in a project of Brian2's for C++. #}
{% macro cpp_file() %}
#include "code_objects/{{codeobj_name}}.h"
#include "objects.h"
#include "brianlib/common_math.h"
#include "brianlib/stdint_compat.h"
#include <cmath>
#include "{{emulator}}"
#define CUDA_CHECK_ERROR(name)

namespace {
    {{support_code_lines|autoindent}}
}

{{hashdefine_lines|autoindent}}

{% block kernel %}
{% endblock %}

void _run_{{codeobj_name}}()
{
    using namespace brian;

    %HOST_CONSTANTS%

    {% block prepare_kernel %}
    {% endblock %}

    {% block kernel_call %}
    {% endblock %}
}
{% endmacro %}

{% macro h_file() %}
void _run_{{codeobj_name}}();
{% endmacro %}

{% macro before_run_cpp_file() %}
namespace {
}

{% block before_run_defines %}
{% endblock %}

void _before_run_{{codeobj_name}}()
{
    {% block before_run_host_maincode %}
    // EMPTY_CODE_BLOCK
    {% endblock %}
}
{% endmacro %}

{% macro before_run_h_file() %}
void _before_run_{{codeobj_name}}();
{% endmacro %}

{% macro after_run_cpp_file() %}
// EMPTY_CODE_BLOCK
{% endmacro %}

{% macro after_run_h_file() %}
{% endmacro %}
