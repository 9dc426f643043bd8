//! Values, tags and white space.

use super::*;

#[test]
fn values_are_found_by_path() {
    let data = json!({
        "a": {"b": "x", "thẻ": "y", "size": 9}, "list": [1, [2, 3], {"k": "v"}], "i": 1, "name": "b", "none": null,
        "text": "Ánh", "yes": true, "half": 0.5, "big": 10_000_000_000_i64,
    });
    prints(
        &data,
        &[
            (
                "{{ a.b }}{{ a['b'] }}{{ a[name] }}{{a.b}}{{ ['a'].b }}",
                "xxxxx",
            ),
            ("{{ a['thẻ'] }}{{ a . b }}", "yx"),
            (
                "{{ list[0] }}{{ list[-1].k }}{{ list[i][0] }}{{ list[9] }}{{ list[-9] }}{{ list['x'] }}",
                "1v2",
            ),
            (
                "{{ list.size }}{{ list.first }}{{ list[1].last }}{{ a.size }}{{ text.size }}{{ text.first }}",
                "31393",
            ),
            ("{{ list }}", "123{\"k\"=>\"v\"}"),
            (
                "[{{ none }}{{ no.such.thing }}{{ nil }}{{ empty }}{{ blank }}{{ a.b.c }}{{ i.x }}]",
                "[]",
            ),
            (
                "{{ true }}{{ yes }}{{ false }}{{ 1.50 }}{{ -3 }}{{ half }}{{ 5.0 }}{{ big }}",
                "truetruefalse1.5-30.55.010000000000",
            ),
            (
                "{{ 'it\"s' }}{{ \"it's\" }}{{ '{{ x }}' }}{{ '%}' }}",
                "it\"sit's{{ x }}%}",
            ),
            ("{{ (1..3) }}{{ (i..3) | join }}", "1..31 2 3"),
            ("{{ unsubscribe_url }}", "https://t.example.vn/u/x"),
            ("{{ [name] }}{{ [text].x }}", ""),
            ("}} %} { % { {", "}} %} { % { {"),
        ],
    );
}

#[test]
fn conditions_compare_values() {
    let data = json!({
        "n": 3, "f": 3.0, "t": "abc", "l": ["a", 1, null], "e": [], "m": {"k": 1}, "em": {}, "no": false, "nil": null,
        "blank_text": " ", "same": ["a", 1, null], "deep": {"k": 1},
    });
    let holds = |condition: &str| {
        text(
            &format!("{{% if {condition} %}}y{{% else %}}n{{% endif %}}"),
            &data,
        ) == "y"
    };
    for condition in [
        "n == 3",
        "n == f",
        "n != 4",
        "n <> 4",
        "n > 2",
        "n >= 3",
        "n < 4",
        "n <= 3",
        "f < 3.5",
        "t == 'abc'",
        "t > 'abb'",
        "t < 'abd'",
        "t >= 'abc'",
        "t <= 'abc'",
        "t contains 'bc'",
        "t",
        "n",
        "e",
        "em",
        "''",
        "0",
        "l contains 1",
        "l contains 'a'",
        "m contains 'k'",
        "e == empty",
        "em == empty",
        "'' == empty",
        "empty == e",
        "nil == blank",
        "no == blank",
        "blank_text == blank",
        "blank == e",
        "x == nil",
        "nil == x",
        "l == same",
        "m == deep",
        "l != e",
        "(1..3) == (1..3)",
        "true and true",
        "no or n",
        "no and no or no or n == 9 or true",
        "true or no and no",
        "'9a' contains 9",
        "true == true",
        "no == false",
    ] {
        let is_mixed = condition.starts_with("no and no or");
        assert_eq!(holds(condition), !is_mixed, "{condition}");
    }
    for condition in [
        "n == '3'",
        "n != 3",
        "n > 3",
        "n < 3",
        "t contains 'x'",
        "t contains nil",
        "x contains 'a'",
        "no",
        "x",
        "nil",
        "l == e",
        "blank_text == empty",
        "n > nil",
        "nil < 1",
        "n < blank",
        "true and no",
        "no or no",
        "no and true or true",
        "m == em",
        "em == m",
        "l contains 2",
        "m contains 'v'",
        "(1..3) == (1..4)",
        "empty == blank",
        "t == blank",
        "n == empty",
        "nil == empty",
        "true == 1",
        "l == m",
        "t != 'abc'",
        "no > 1",
        "l contains false",
    ] {
        assert!(!holds(condition), "{condition}");
    }
    assert_eq!(
        fails("{% if t > 1 %}{% endif %}", &data).reason,
        Reason::Failed("values of two kinds have no order")
    );
}

#[test]
fn branches_are_chosen() {
    let data = json!({"n": 3, "vip": true, "t": "Hello"});
    prints(
        &data,
        &[
            (
                "{% if n == 1 %}a{% elsif n == 3 %}b{% else %}c{% endif %}",
                "b",
            ),
            (
                "{% if n == 1 %}a{% elsif n == 2 %}b{% else %}c{% endif %}",
                "c",
            ),
            (
                "{% if n == 1 %}a{% else %}b{% else %}c{% elsif true %}d{% endif %}",
                "b",
            ),
            (
                "{% unless vip %}a{% elsif n == 3 %}b{% else %}c{% endunless %}",
                "b",
            ),
            ("{% unless n == 1 %}a{% endunless %}", "a"),
            (
                "{% case n %} {% when 1, 2 %}a{% when 3 %}b{% else %}c{% endcase %}",
                "b",
            ),
            (
                "{% case n %}{% when 1 or 3 %}a{% else %}c{% endcase %}",
                "a",
            ),
            (
                "{% case n %}{% when 1 %}a{% else %}c{% when 3 %}d{% endcase %}",
                "cd",
            ),
            ("{% case n %}{% when 3 %}a{% else %}c{% endcase %}", "a"),
            ("{% case n %}{% when 3, 3.0 %}a{% endcase %}", "aa"),
            ("{% case t | upcase %}{% when 'HELLO' %}a{% endcase %}", "a"),
            ("{% case n %}{% endcase %}", ""),
            (
                "{% for i in (1..3) %}{% case i %}{% when 2 %}{% break %}{% endcase %}{{ i }}{% endfor %}",
                "1",
            ),
        ],
    );
}

#[test]
fn loops_go_over_lists_maps_ranges_and_texts() {
    let data = json!({"l": ["a", "b", "c", "d"], "m": {"x": 1, "y": 2}, "t": "ab", "e": [], "two": "2", "n": null});
    prints(
        &data,
        &[
            ("{% for i in l %}{{ i }}{% endfor %}", "abcd"),
            (
                "{% for i in m %}{{ i[0] }}={{ i[1] }};{% endfor %}",
                "x=1;y=2;",
            ),
            (
                "{% for i in (2..4) %}{{ i }}{% endfor %}{% for i in (4..2) %}x{% endfor %}",
                "234",
            ),
            ("{% for i in t %}{{ i }}{% endfor %}", "ab"),
            (
                "{% for i in e %}x{% else %}none{% endfor %}{% for i in '' %}x{% else %}none{% endfor %}",
                "nonenone",
            ),
            (
                "{% for i in l limit: 2 %}{{ i }}{% endfor %} {% for i in l limit: two, offset: 1 %}{{ i }}{% endfor %}",
                "ab bc",
            ),
            (
                "{% for i in l offset: 3 %}{{ i }}{% endfor %} {% for i in l offset: 9 %}x{% else %}-{% endfor %}",
                "d -",
            ),
            (
                "{% for i in l reversed %}{{ i }}{% endfor %} {% for i in l reversed limit: 2 offset: 1 %}{{ i }}{% endfor %}",
                "dcba cb",
            ),
            (
                "{% for i in l limit: 1 %}{{ i }}{% endfor %}{% for i in l limit: 2 offset: continue %}{{ i }}{% endfor %}{% for i in l offset: continue %}{{ i }}{% endfor %}",
                "abcd",
            ),
            ("{% for i in l limit: n %}{{ i }}{% endfor %}", "abcd"),
            (
                "{% for i in (1..5) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
                "13",
            ),
            (
                "{% assign i = 'o' %}{% for i in l limit: 1 %}{{ i }}{% endfor %}{{ i }}",
                "ao",
            ),
            (
                "{% for i in l %}{% assign last = i %}{% endfor %}{{ last }}",
                "d",
            ),
            (
                "{% for i in l limit: 2 %}{{ forloop.index }}{{ forloop.index0 }}{{ forloop.rindex }}{{ forloop.rindex0 }}{{ forloop.first }}{{ forloop.last }}{{ forloop.length }};{% endfor %}",
                "1021truefalse2;2110falsetrue2;",
            ),
            (
                "{% for i in l limit: 1 %}{{ forloop.name }}{{ forloop.none }}{% endfor %}[{{ forloop.index }}]",
                "i-l[]",
            ),
            (
                "{% for i in (1..2) %}{% for j in (1..2) %}{{ forloop.parentloop.index }}{{ forloop.index }} {% endfor %}{{ forloop.parentloop }}{% endfor %}",
                "11 12 21 22 ",
            ),
        ],
    );
    assert_eq!(refused("{% for i l %}{% endfor %}").1, 10);
    assert_eq!(
        fails("{% for i in l limit: 'x' %}{% endfor %}", &data).reason,
        Reason::Failed("a whole number is expected")
    );
}

#[test]
fn tables_have_rows_and_cells() {
    let data = json!({"l": ["a", "b", "c"]});
    prints(
        &data,
        &[
            (
                "{% tablerow i in l cols: 2 %}{{ i }}{{ tablerowloop.col }}{{ tablerowloop.row }}{% endtablerow %}",
                "<tr class=\"row1\">\n<td class=\"col1\">a11</td><td class=\"col2\">b21</td></tr>\n<tr class=\"row2\"><td class=\"col1\">c12</td></tr>\n",
            ),
            (
                "{% tablerow i in l limit: 1 %}{{ tablerowloop.col0 }}{{ tablerowloop.col_first }}{{ tablerowloop.col_last }}{% endtablerow %}",
                "<tr class=\"row1\">\n<td class=\"col1\">0truetrue</td></tr>\n",
            ),
            (
                "{% tablerow i in l cols: 2 %}{{ i }}{% break %}{% endtablerow %}",
                "<tr class=\"row1\">\n<td class=\"col1\">a</td></tr>\n",
            ),
            (
                "{% tablerow i in none %}{% endtablerow %}",
                "<tr class=\"row1\">\n</tr>\n",
            ),
        ],
    );
}

#[test]
fn variables_counters_and_cycles_keep_their_state() {
    prints(
        &json!({"a": "data", "c": 5}),
        &[
            ("{{ a }}{% assign a = 'own' %}{{ a }}", "dataown"),
            (
                "{% assign x = 1 %}{% assign y = x %}{% assign x = 2 %}{{ y }}",
                "1",
            ),
            (
                "{% assign x = 'a,b' | split: ',' %}{{ x[1] }}{% assign y = (1..3) %}{{ y | join: '' }}",
                "b123",
            ),
            (
                "{% capture x %}<{{ a }}>{% endcapture %}{{ x }}{{ x }}",
                "<data><data>",
            ),
            ("{% capture x %}\n{% endcapture %}[{{ x }}]", "[\n]"),
            (
                "{% increment n %}{% increment n %}{{ n }}{% decrement n %}{{ n }}",
                "01211",
            ),
            ("{% decrement m %}{% decrement m %}", "-1-2"),
            ("{% increment c %}{{ c }}", "05"),
            (
                "{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 'a', 'c' %}",
                "abaa",
            ),
            (
                "{% cycle 'g': 1, 2 %}{% cycle 'h': 1, 2 %}{% cycle 'g': 1, 2 %}",
                "112",
            ),
            (
                "{% cycle a: 1, 2, 3 %}{% cycle 'data': 1, 2, 3 %}{% cycle a: 1 %}{% cycle a: 4, 5 %}",
                "124",
            ),
            (
                "{% for i in (1..4) %}{% assign h = i | divided_by: 3 %}{% ifchanged %}{{ h }}{% endifchanged %}{% endfor %}",
                "01",
            ),
        ],
    );
}

#[test]
fn blanks_are_dropped_where_the_author_says() {
    prints(
        &json!({"n": 1}),
        &[
            ("a \n {{- n -}} \t\n b", "a1b"),
            ("a {{- n }} b {%- if n -%} c {%- endif %} d", "a1 bc d"),
            (
                "a  {%- comment -%} it's {{ ( {% x %} {%- endcomment -%}  b",
                "ab",
            ),
            ("a {%- raw -%} {{ n }} {%- endraw -%} b", "a{{ n }}b"),
            ("a {%- # note -%} b{%# 'x %}", "ab"),
            ("[{% if n %} \n {% assign x = 1 %} {% endif %}]", "[]"),
            ("[{% if n %} {{ x }} {% endif %}]", "[  ]"),
            ("[{% if n %} {% else %}x{% endif %}]", "[ ]"),
            (
                "[{% for i in (1..3) %} {% endfor %}][{% case n %}{% when 1 %} {% endcase %}]",
                "[][]",
            ),
        ],
    );
}

#[test]
fn comments_raw_and_liquid_are_read() {
    prints(
        &json!({"n": 3}),
        &[
            (
                "{% raw %}{{ n }}{% x %}{{{% endraw %}{ n }}",
                "{{ n }}{% x %}{{{ n }}",
            ),
            (
                "a{% comment %}{% raw %}x{% endraw %}{% endcomment %}b",
                "ab",
            ),
            (
                "a{% comment %}{% comment %}{% endcomment %}{% raw %}{% endcomment %}{% endraw %}{{ {% endcomment %}b",
                "ab",
            ),
            ("a{% doc %}{{ n {% if %}{% enddoc %}b", "ab"),
            ("{%#%}{%# one\n # two %}a", "a"),
            ("{% echo n | plus: 1 %}{% echo %}", "4"),
            (
                "{% liquid\n # note\n assign x = n | times: 2\n if x > 5\n   echo x\n else\n   echo 'no'\n endif\n comment\n echo 'c'\n endcomment\n for i in (1..2)\n echo i\n endfor\n liquid liquid echo 'z' %}",
                "612z",
            ),
            ("{% liquid %}", ""),
        ],
    );
    for source in [
        "{% comment %}",
        "{% raw %}{% endra %}",
        "{% doc %}",
        "{% doc x %}{% enddoc %}",
        "{% doc %}{% doc %}{% enddoc %}",
        "{% comment %}{% endcomment",
    ] {
        assert_eq!(refused(source).0, 1, "{source}");
    }
    assert_eq!(
        refused("{%\n # a\n b\n%}"),
        (3, 2, "each line of a # comment starts with #".to_owned())
    );
    assert_eq!(
        refused("{% if n %}{% liquid\n endif %}").2,
        "endif closes no if"
    );
    assert_eq!(
        refused("{% liquid\n comment\n %}").2,
        "endcomment is missing"
    );
}

#[test]
fn each_operator_has_its_order() {
    for (operator, holds) in [
        ("<", [true, false, false]),
        ("<=", [true, true, false]),
        (">", [false, false, true]),
        (">=", [false, true, true]),
    ] {
        let source = format!("{{% if n {operator} 2 %}}yes{{% endif %}}");
        let shown = [1, 2, 3].map(|n| text(&source, &json!({ "n": n })) == "yes");
        assert_eq!(shown, holds, "{operator}");
    }
}
