//! Each filter on exact results and at its edges.

use super::*;

fn data() -> Json {
    json!({
        "l": ["b", "a", null, "C"], "n": [3, 1.5, 2], "m": {"k": "v", "j": 2}, "nested": [1, [2, [3, []]]],
        "p": [{"t": "áo", "n": 2}, {"t": "Quần", "n": 1}, {"n": 3}, {"t": null, "n": "4"}], "e": [], "x": "Chào bạn", "f": false,
        "h": "<p class='a'>A &amp; B</p><script>x<y</script><style>b</style><!-- c --> < d", "at": "2026-11-22T02:30:00.123Z", "day": "1990-05-02",
    })
}

#[test]
fn numbers_are_calculated_in_decimals() {
    prints(
        &data(),
        &[
            (
                "{{ 10.1 | minus: 2.2 }} {{ 0.1 | plus: 0.2 }} {{ 1.1 | times: 1.1 }} {{ 4.35 | times: 100 }}",
                "7.9 0.3 1.21 435.0",
            ),
            (
                "{{ 20 | divided_by: 7.0 }} {{ 20 | divided_by: 7 }} {{ -7 | divided_by: 2 }} {{ 7 | divided_by: -2 }} {{ 6 | divided_by: -2 }}",
                "2.857142857142857 2 -4 -4 -3",
            ),
            (
                "{{ 7 | modulo: 3 }} {{ -7 | modulo: 3 }} {{ 7 | modulo: -3 }} {{ 10.1 | modulo: 7 }} {{ -1.5 | modulo: 1 }} {{ 6 | modulo: -3 }}",
                "1 2 -2 3.1 0.5 0",
            ),
            (
                "{{ '12 con' | plus: 1 }} {{ '1.250.000' | divided_by: 1000 }} {{ ' 2.5 ' | plus: 1 }} {{ 'x' | plus: 1 }} {{ '-' | plus: 1 }} {{ '-3' | plus: 1 }} {{ '1.' | plus: 1 }} {{ '.5' | plus: 1 }}",
                "13 0 3.5 1 1 -2 2 1",
            ),
            (
                "{{ none | plus: 10 }} {{ m | plus: 1 }} {{ true | plus: 1 }} {{ 10 | minus: none }}",
                "10 1 1 10",
            ),
            (
                "{{ -5 | abs }} {{ '-5.5' | abs }} {{ 4.2 | ceil }} {{ -4.2 | ceil }} {{ 4.8 | floor }} {{ -4.2 | floor }} {{ 3 | floor }}",
                "5 5.5 5 -4 4 -5 3",
            ),
            (
                "{{ 2.5 | round }} {{ -2.5 | round }} {{ 2.345 | round: 2 }} {{ 1.005 | round: 2 }} {{ 1250 | round: -2 }} {{ 1250.5 | round: -2 }} {{ 7 | round: 1 }} {{ 1.25 | round: 1 }}",
                "3 -3 2.35 1.01 1250 1300 7 1.3",
            ),
            (
                "{{ 4 | at_least: 5 }} {{ 6 | at_least: 5 }} {{ 4 | at_most: 5 }} {{ 6 | at_most: 5.5 }} {{ 5 | at_least: 5.0 }} {{ 5 | at_most: 5.0 }}",
                "5 6 4 5.5 5 5",
            ),
            (
                "{{ n | sum }} {{ p | sum: 'n' }} {{ nested | sum }} {{ e | sum }} {{ none | sum }}",
                "6.5 10 6 0 0",
            ),
        ],
    );
    let far = json!({"min": i64::MIN, "max": i64::MAX, "huge": 1e300, "above": u64::MAX});
    for source in [
        "{{ min | abs }}",
        "{{ min | divided_by: -1 }}",
        "{{ min | modulo: -1 }}",
        "{{ min | minus: 1 }}",
        "{{ max | plus: 1 }}",
        "{{ max | times: 2 }}",
        "{{ huge | times: huge }}",
        "{{ huge | ceil }}",
        "{{ huge | round }}",
        "{{ huge | round: -3 }}",
        "{% for i in (1..huge) %}{% endfor %}",
    ] {
        assert_eq!(
            fails(source, &far).reason,
            Reason::Failed("a number is too large"),
            "{source}"
        );
    }
    for source in [
        "{{ 1 | divided_by: 0 }}",
        "{{ 1 | modulo: none }}",
        "{{ 1.5 | divided_by: 0.0 }}",
    ] {
        assert_eq!(
            fails(source, &far).reason,
            Reason::Failed("a number is divided by zero"),
            "{source}"
        );
    }
    prints(
        &far,
        &[(
            "{{ max }} {{ huge | plus: 1 | divided_by: huge }} {{ huge | round: 40 | divided_by: huge }} {{ above | divided_by: above }}",
            "9223372036854775807 1.0 1.0 1.0",
        )],
    );
    prints(&far, &[("{{ huge | minus: huge }}", "0.0")]);
    // No decimal holds these numbers, so they are computed as floating point.
    let c = 2.0_f64.powi(100);
    prints(
        &json!({ "a": 3.0 * c, "b": 2.0 * c, "c": c }),
        &[(
            "{{ a | divided_by: b }} {{ a | modulo: b | divided_by: c }} {{ a | minus: b | divided_by: b }} {{ a | times: 2 | divided_by: b }} {{ a | plus: b | divided_by: b }}",
            "1.5 1.0 0.5 3.0 2.5",
        )],
    );
    assert_eq!(
        refused("{{ 99999999999999999999 }}").2,
        "a whole number has at most 18 digits"
    );
}

#[test]
fn texts_are_changed() {
    prints(
        &data(),
        &[
            (
                "{{ x | append: '!' | prepend: '¡' }} {{ 5 | append: none | append: 1.5 }}",
                "¡Chào bạn! 51.5",
            ),
            (
                "{{ x | upcase }} {{ x | downcase }} {{ 'đỎ x' | capitalize }}[{{ '' | capitalize }}]",
                "CHÀO BẠN chào bạn Đỏ x[]",
            ),
            (
                "[{{ ' a ' | strip }}][{{ ' a ' | lstrip }}][{{ '\t a \n' | rstrip }}][{{ 'a\r\nb\nc' | strip_newlines }}]",
                "[a][a ][\t a][abc]",
            ),
            (
                "{{ 'a-b-a' | replace: 'a', 'xy' }} {{ 'a-b-a' | replace_first: 'a', 'x' }} {{ 'a-b-a' | replace_last: 'a', 'x' }}",
                "xy-b-xy x-b-a a-b-x",
            ),
            (
                "{{ 'a-b-a' | remove: 'a' }} {{ 'a-b-a' | remove_first: 'a' }} {{ 'a-b-a' | remove_last: 'a' }} {{ 'ab' | replace: 'z', 'y' }}{{ 'ab' | replace_first: 'z', 'y' }}",
                "-b- -b-a a-b- abab",
            ),
            (
                "{{ 'ab' | replace: '', '.' }} {{ 'aab' | replace: 'a' }}",
                ".a.b. b",
            ),
            (
                "{{ x | size }} {{ l | size }} {{ m | size }} {{ 5 | size }} {{ none | size }} {{ (1..4) | size }}",
                "8 4 2 0 0 4",
            ),
            (
                "{{ x | slice: 2 }} {{ x | slice: 5, 9 }} {{ x | slice: -3, 2 }} [{{ x | slice: 9 }}{{ x | slice: -99 }}{{ x | slice: 1, -1 }}] {{ l | slice: 0, 2 | join }} {{ 12345 | slice: '1', 2 }}",
                "à bạn bạ [] b a 23",
            ),
            (
                "{{ x | slice: 8, 1 }}{{ x | slice: 7, 1 }}{{ (1..9) | slice: 7, 9 | join: '' }}",
                "n89",
            ),
            (
                "{{ x | truncate: 8 }} {{ x | truncate: 7 }} {{ x | truncate: 5, '…' }} {{ x | truncate: 1 }} {{ x | truncate }} {{ x | truncate: 5, '' }}",
                "Chào bạn Chào... Chào… ... Chào bạn Chào ",
            ),
            (
                "{{ 'a  b\nc' | truncatewords: 2 }} {{ 'a  b' | truncatewords: 2 }} {{ 'a b c' | truncatewords: 0, '…' }} {{ x | truncatewords }}",
                "a b... a  b a… Chào bạn",
            ),
            (
                "{{ 'a b&c=ấ~' | url_encode }} {{ 'a+b%26%e1%ba%a5' | url_decode }}",
                "a+b%26c%3D%E1%BA%A5%7E a b&ấ",
            ),
            (
                "{{ 'ấ?>' | base64_encode }} {{ '4bqlPz4=' | base64_decode }} {{ 'ấ?>' | base64_url_safe_encode }} {{ 'Pz8_' | base64_url_safe_decode }} {{ 'Pz8/' | base64_decode }}",
                "4bqlPz4= ấ?> 4bqlPz4= ??? ???",
            ),
            (
                "{{ \"<a'&\" | escape }}{{ '\"' | escape }}",
                "&lt;a&#39;&amp;&quot;",
            ),
            (
                "{{ '&amp; & &#39; &#x; &; < &toolongtoolongtoolongtoolongtoolongtoolongtoolong;' | escape_once }}",
                "&amp; &amp; &#39; &amp;#x; &amp;; &lt; &amp;toolongtoolongtoolongtoolongtoolongtoolongtoolong;",
            ),
            ("{{ 'a\nb\r\nc' | newline_to_br }}", "a<br />\nb<br />\nc"),
            (
                "{{ h | strip_html }}|{{ 'a < b <!-- c' | strip_html }}|{{ '<script>a<b>c' | strip_html }}",
                "A &amp; B < d|a < b <!-- c|ac",
            ),
            (
                "{{ 'a,b,,' | split: ',' | join: '-' }} {{ ' a  b ' | split: ' ' | join: '-' }} {{ 'ấb' | split: '' | join: '-' }} {{ 'a1b' | split: 1 | join: '-' }} {{ '' | split: ',' | size }}{{ ',a' | split: ',' | size }}",
                "a-b a-b ấ-b a-b 02",
            ),
        ],
    );
    for (source, reason) in [
        ("{{ '*' | base64_decode }}", "the text is not base64"),
        ("{{ x | slice: 'a' }}", "a whole number is expected"),
        ("{{ x | slice: 1, 2.5 }}", "a whole number is expected"),
        ("{{ x | truncate: none }}", "a whole number is expected"),
        ("{{ x | truncatewords: '' }}", "a whole number is expected"),
    ] {
        assert_eq!(
            fails(source, &data()).reason,
            Reason::Failed(reason),
            "{source}"
        );
    }
}

#[test]
fn lists_are_changed() {
    prints(
        &data(),
        &[
            (
                "{{ l | join }} {{ l | join: ', ' }} {{ nested | join: '' }} {{ 'a' | join: '-' }}{{ none | join }} {{ m | join }}",
                "b a  C b, a, , C 123 a {\"j\"=>2, \"k\"=>\"v\"}",
            ),
            (
                "{{ l | first }} {{ l | last }} {{ e | first }}{{ e | last }}{{ x | first }}{{ 5 | last }} {{ m | first | join: '=' }} {{ m.first | last }}{{ m | last }}",
                "b C  j=2 2",
            ),
            (
                "{{ l | compact | join }} {{ p | compact: 't' | map: 'n' | join }} {{ none | compact | size }}",
                "b a C 2 1 0",
            ),
            (
                "{{ l | reverse | join: '' }} {{ 'ab' | reverse | join }} {{ (1..3) | reverse | join }}",
                "Cab ab 3 2 1",
            ),
            (
                "{{ l | sort | join: '' }} {{ n | sort | join }} {{ 'b,a' | split: ',' | sort | join: '' }}",
                "Cab 1.5 2 3 ab",
            ),
            (
                "{{ l | sort_natural | join: '' }} {{ p | sort_natural: 't' | map: 'n' | join }} {{ n | sort_natural | join }}",
                "abC 1 2 3 4 1.5 2 3",
            ),
            (
                "{{ p | sort: 't' | map: 'n' | join }} {{ none | sort | size }}",
                "1 2 3 4 0",
            ),
            (
                "{{ 'a,b,a' | split: ',' | uniq | join }} {{ n | concat: n | uniq | size }} {{ p | uniq: 't' | size }} {{ e | concat: l | size }}",
                "a b 3 3 4",
            ),
            (
                "{{ p | map: 't' | join: '|' }} {{ m | map: 'k' | join }} {{ p | map: none | join: '' }}",
                "áo|Quần|| v ",
            ),
            (
                "{{ p | where: 't' | size }}{{ p | where: 'n', 1 | map: 't' }}{{ p | where: 'n', 9 | size }}{{ p | where: none }}",
                "2Quần0",
            ),
            (
                "{{ p | reject: 't' | size }}{{ p | reject: 'n', 1 | size }}{{ 'a,ab' | split: ',' | reject: 'b' | join }}",
                "23a",
            ),
            (
                "{{ p | find: 'n', 1 | map: 't' }}{{ p | find_index: 'n', 1 }}{{ p | has: 'n', 1 }}{{ p | has: 'n', 9 }}[{{ p | find: 'n', 9 }}{{ p | find_index: 'z' }}]",
                "Quần1truefalse[]",
            ),
            (
                "[{{ l | has: 'z' }}{{ l | find: 'C' }}{{ l | where: 'a' }}{{ none | has: 'a' }}]{{ p | has: none }}",
                "[false]false",
            ),
            (
                "{{ none | default: 'd' }}{{ '' | default: 'd' }}{{ e | default: 'd' }}{{ f | default: 'd' }}{{ f | default: 'd', allow_false: true }}{{ f | default: 'd', allow_false: f }}{{ 0 | default: 'd' }}{{ ' ' | default: 'd' }}{{ none | default }}",
                "ddddfalsed0 ",
            ),
            ("{% assign y = l | default: 1 %}{{ y | size }}", "4"),
        ],
    );
    for (source, reason) in [
        ("{{ l | concat: 5 }}", "concat takes a list"),
        (
            "{{ nested | sort | concat: p | sort }}",
            "values of two kinds have no order",
        ),
        ("{{ p | sort: 'n' }}", "values of two kinds have no order"),
        ("{{ n | map: 'x' }}", "a number has no fields"),
        ("{{ n | where: 'x' }}", "a number has no fields"),
        ("{{ n | sum: 'x' }}", "a number has no fields"),
    ] {
        assert_eq!(
            fails(source, &data()).reason,
            Reason::Failed(reason),
            "{source}"
        );
    }
    prints(
        &json!({"bits": [0, 1, 5], "far": [1]}),
        &[
            ("{{ bits | map: 2 | join }}", "0 0 1"),
            ("{{ far | map: -1 | join }}{{ far | map: 64 | join }}", "10"),
        ],
    );
}

#[test]
fn dates_are_read_and_written() {
    prints(
        &data(),
        &[
            (
                "{{ 'now' | date: '%d/%m/%Y %H:%M %z' }} {{ ' Today ' | date: '%A' }}",
                "22/11/2026 09:30 +0700 Sunday",
            ),
            (
                "{{ at | date: '%d/%m %H:%M:%S.%L' }} {{ '2026-11-22T09:30:00+07:00' | date: '%H:%M %z' }}",
                "22/11 02:30:00.123 09:30 +0700",
            ),
            (
                "{{ day | date: '%d/%m' }} {{ '2026-11-22 09:30' | date: '%H:%M' }} {{ '2026-11-22 09:30:05 +0700' | date: '%S %z' }}",
                "02/05 09:30 05 +0700",
            ),
            (
                "{{ 0 | date: '%Y' }} {{ '86400' | date: '%d' }} {{ 1.5 | date: '%s' }} {{ 'March 14, 2016' | date: '%b %-d, %y %%' }}",
                "1970 02 1 Mar 14, 16 %",
            ),
            (
                "{{ '02/03/1990' | date: '%Y-%m-%d' }} {{ '02/03/1990 10:20' | date: '%H' }} {{ '2 Mar 2020' | date: '%m' }}",
                "1990-03-02 10 03",
            ),
            (
                "{{ 'soon' | date: '%Y' }} [{{ none | date: '%Y' }}] {{ day | date: none }} {{ true | date: '%Y' }} {{ '' | date: '%Y' }}",
                "soon [] 1990-05-02 true ",
            ),
            (
                "{{ 99999999999999 | date: '%Y' }} {{ '99999999999999999999' | date: '%Y' }}",
                "99999999999999 99999999999999999999",
            ),
            ("{{ day | date: '%!' }}", "%!"),
        ],
    );
    let long = "1".repeat(65);
    assert_eq!(text("{{ d | date: '%Y' }}", &json!({"d": long})), long);
    // The longest text, and one character more.
    let zeros = |length: usize| text("{{ d | date: '%Y' }}", &json!({"d": "0".repeat(length)}));
    assert_eq!((zeros(64), zeros(65)), ("1970".to_owned(), "0".repeat(65)));
    let error = fails("{{ 0 | date: '%999d' }}", &data());
    assert_eq!(
        error.reason,
        Reason::Failed("a width of a date has at most 2 digits")
    );
    prints(&data(), &[("{{ 0 | date: '%04d 123' }}", "0001 123")]);
}

#[test]
fn each_filter_takes_its_number_of_arguments() {
    for name in crate::filters() {
        let (_, _, message) = refused(&format!("{{{{ a | {name}: 1, 2, 3 }}}}"));
        assert!(message.starts_with(&format!("{name} takes ")), "{message}");
        let accepts =
            |arguments: &str| Template::parse(&format!("{{{{ a | {name}{arguments} }}}}")).is_ok();
        assert!(accepts("") || accepts(": 1") || accepts(": 1, 2"), "{name}");
    }
    assert_eq!(
        refused("{{ a | upcase: 1 }}"),
        (1, 8, "upcase takes no arguments".to_owned())
    );
    assert_eq!(refused("{{ a | append }}").2, "append takes 1 argument");
    assert_eq!(
        refused("{{ a | replace_last: 1 }}").2,
        "replace_last takes 2 arguments"
    );
    assert_eq!(
        refused("{{ a | slice: 1, 2, 3 }}").2,
        "slice takes 1 to 2 arguments"
    );
    assert_eq!(
        refused("{{ a | append: x: 1 }}").2,
        "append has no argument \"x\""
    );
}
