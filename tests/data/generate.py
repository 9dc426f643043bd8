#!/usr/bin/env python3
"""Writes the demo's input files beside itself; the same seed gives the same files.

contacts.csv  10,400 rows as a shop exports them: UTF-8 with mark, Vietnamese headers, phone numbers in
              the forms people type, missing cells, repeated rows, and rows without any usable address
forms.jsonl   240 LadiPage form posts, one JSON object a line: {"content_type", "body"}
chat.json     a conversation between a visitor and the staff

Names are combinations of the commonest family, middle and given names and belong to nobody; addresses
are under example.vn and example.com (RFC 2606 and VNNIC's reserved name), numbers are random.
"""
import csv, json, pathlib, random, unicodedata, urllib.parse

random.seed(20260302)
HERE = pathlib.Path(__file__).parent
FAMILY = "Nguyễn Nguyễn Nguyễn Trần Trần Lê Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý".split()
MIDDLE = "Thị Văn Minh Ngọc Thanh Đức Hoàng Thu Quốc Gia Bảo Hữu Kim Tuấn Xuân Phương".split()
GIVEN = ("An Anh Bình Châu Chi Cường Dung Dũng Duy Giang Hà Hải Hạnh Hiếu Hoa Hòa Hùng Hương Khánh Khoa "
         "Lan Linh Long Mai Nam Nga Ngân Nhung Phúc Quân Quỳnh Sơn Tâm Thảo Thư Trang Trung Tú Uyên Vy Yến").split()
PROVINCES = ["Hà Nội", "TP. Hồ Chí Minh", "Đà Nẵng", "Cần Thơ", "Hải Phòng", "Khánh Hòa", "Lâm Đồng",
             "Đồng Nai", "Nghệ An", "Thừa Thiên Huế"]
TAGS = ["khách mới", "khách thân thiết", "VIP", "Tết 2026", "sỉ", "lẻ", "online", "cửa hàng Q1"]
PREFIXES = ["32", "33", "34", "35", "36", "37", "38", "39", "56", "58", "70", "76", "77", "78", "79",
            "81", "82", "83", "84", "85", "86", "88", "89", "90", "91", "93", "94", "96", "97", "98"]


def plain(text):
    text = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in text if not unicodedata.combining(c)).lower()


def name():
    return " ".join([random.choice(FAMILY), random.choice(MIDDLE), random.choice(GIVEN)])


def typed(national):
    """The same number as different people write it."""
    return random.choice([
        "0{}", "0{}", "0{}", "84{}", "+84{}", "{}", "0084{}",
    ]).format(national) if random.random() < 0.8 else f"0{national[:3]} {national[3:6]}.{national[6:]}"


def person(n):
    full = name()
    words = plain(full).split()
    national = random.choice(PREFIXES) + f"{random.randrange(10**7):07d}"
    local = f"{words[-1]}.{words[0]}{n}"
    kind = random.random()
    if kind < 0.004:
        local = f"bounce+{local}"
    elif n == 4293:  # fills in a form; complaints of 0.1 % would pause the demo's campaign for review
        local = f"complaint+{local}"
    email = f"{local}@example.{'vn' if n % 3 else 'com'}"
    if random.random() < 0.1:
        email = email.upper()
    return {"name": full, "national": national, "email": email}


def write_contacts(people):
    with open(HERE / "contacts.csv", "w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(["Họ và tên", "Số điện thoại", "Email", "Ngày sinh", "Tỉnh/Thành", "Thẻ", "Điểm"])
        rows = []
        for who in people:
            birthday = f"{random.randrange(1, 29):02d}/{random.randrange(1, 13):02d}/{random.randrange(1960, 2008)}"
            phone = typed(who["national"]) if random.random() > 0.06 else ""
            email = who["email"] if phone == "" or random.random() > 0.03 else ""
            tags = ";".join(random.sample(TAGS, random.randrange(0, 3)))
            rows.append([who["name"], phone, email, birthday if random.random() < 0.6 else "",
                         random.choice(PROVINCES), tags, random.choice(["", "1.250", "300", "75"])])
        for row in random.sample(rows, 120):          # the same row twice: the last one wins
            rows.append(list(row))
        for i in range(60):                           # nobody can be reached here
            rows.append([name(), random.choice(["", "02838221234", "không có", "12345"]),
                         random.choice(["", "khong-co-email", "a@b", "hai@example.vn;ba@example.vn"]), "", "", "", ""])
        random.shuffle(rows)
        out.writerows(rows)
    return len(rows)


def write_forms(people):
    forms = []
    for i in range(200):
        who = random.choice(people) if i < 120 else person(20_000 + i)
        fields = {
            "Họ và tên": who["name"], "Số điện thoại": typed(who["national"]), "email": who["email"],
            "message": random.choice(["Tư vấn size M", "Xin bảng giá sỉ", "Giao nhanh trong ngày?", "Còn màu đỏ không ạ"]),
            "ladi_form_id": random.choice(["FORM8", "FORM8", "FORM12"]),
            "link": "https://landing.example.vn/tet26?utm_source=facebook&utm_campaign=tet26",
            "utm_source": random.choice(["facebook", "google", "zalo"]), "utm_campaign": "tet26",
            "message_time": f"02/03/2026 {8 + i // 60:02d}:{i % 60:02d}:30", "status_send": "",
        }
        if i % 3:
            forms.append({"content_type": "application/json", "body": json.dumps(fields, ensure_ascii=False)})
        else:
            forms.append({"content_type": "application/x-www-form-urlencoded", "body": urllib.parse.urlencode(fields)})
    forms += random.sample(forms, 40)                 # LadiPage and impatient visitors post twice
    random.shuffle(forms)
    with open(HERE / "forms.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(form, ensure_ascii=False) + "\n" for form in forms)
    return len(forms)


def write_chat():
    lines = [
        ("visitor", "Shop ơi, áo thun trắng còn size M không ạ?"),
        ("staff", "Dạ shop chào anh/chị, size M còn 5 cái ạ."),
        ("visitor", "Giao về Đà Nẵng mất mấy ngày?"),
        ("note", "Khách hỏi giao Đà Nẵng, kho miền Trung còn hàng."),
        ("staff", "Dạ 2 đến 3 ngày ạ, phí giao 30.000 ₫, đơn từ 500.000 ₫ miễn phí."),
        ("visitor", "Ok shop, lấy cho mình 2 cái nhé 🎉"),
        ("staff", "Dạ shop lên đơn ngay, cảm ơn anh/chị!"),
    ]
    text = json.dumps([{"from": who, "text": text} for who, text in lines], ensure_ascii=False, indent=1)
    (HERE / "chat.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    people = [person(n) for n in range(10_220)]
    print("contacts.csv", write_contacts(people), "rows")
    print("forms.jsonl", write_forms(people), "posts")
    write_chat()
