//! The columns of files of orders and of products: their names, labels, other headings, and a sample of each. Pure.
//!
//! Headings are compared as `person::heading` folds them: `Mã đơn hàng` is `ma_don_hang`.

use serde::{Deserialize, Serialize};

/// The kind of goods that a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sheet {
    /// Lines of orders: lines that follow each other with one code are one order.
    Orders,
    /// Products, one a line.
    Products,
}

/// A column of a file.
#[derive(Debug, Clone, Copy)]
pub struct SheetColumn {
    /// Its name.
    pub name: &'static str,
    /// The heading of the sample, in Vietnamese.
    pub label: &'static str,
    /// Other headings that mean it: folded, words joined by `_`.
    pub headings: &'static [&'static str],
    /// The cell of the sample.
    pub sample: &'static str,
}

macro_rules! columns {
    ($($name:literal, $label:literal, $sample:literal, [$($heading:literal),* $(,)?];)*) => {
        &[$(SheetColumn { name: $name, label: $label, headings: &[$($heading),*], sample: $sample },)*]
    };
}

/// The columns of a file of orders.
const ORDERS: &[SheetColumn] = columns! {
    "code", "Mã đơn hàng", "DH-1042",
        ["ma_don_hang", "ma_don", "so_don_hang", "ma_hoa_don", "so_hoa_don", "order_code", "order_number", "order_no"];
    "ordered_at", "Ngày đặt hàng", "02/03/2026 09:30",
        ["ngay_dat_hang", "ngay_dat", "ngay_tao_don", "ngay_tao", "ngay_ban", "ngay_mua", "ngay_mua_hang", "ngay", "thoi_gian",
         "thoi_gian_dat_hang", "thoi_gian_tao_don", "order_date", "created_at", "date"];
    "customer_code", "Mã khách hàng", "KH001", ["ma_khach_hang", "ma_kh", "ma_khach", "customer_id"];
    "customer_name", "Tên khách hàng", "Trần Thị An",
        ["ten_khach_hang", "khach_hang", "ho_va_ten", "ho_ten", "ten_khach", "nguoi_mua", "ten_nguoi_mua", "customer"];
    "customer_phone", "Điện thoại khách hàng", "0912 345 678",
        ["dien_thoai_khach_hang", "so_dien_thoai_khach_hang", "sdt_khach_hang", "phone", "so_dien_thoai", "sdt", "dien_thoai"];
    "customer_email", "Email khách hàng", "an.tran@example.vn", ["email_khach_hang", "email"];
    "item_sku", "Mã hàng", "AO-TR-M",
        ["ma_hang", "ma_hang_hoa", "ma_san_pham", "ma_sp", "sku", "sku_san_pham", "lineitem_sku", "product_code"];
    "item_name", "Tên hàng", "Áo thun trắng M",
        ["ten_hang", "ten_hang_hoa", "ten_san_pham", "san_pham", "ten_sp", "lineitem_name", "product_name", "product"];
    "item_quantity", "Số lượng", "2", ["so_luong", "sl", "quantity", "lineitem_quantity"];
    "item_price", "Đơn giá", "285.000", ["don_gia", "gia", "gia_ban", "price", "unit_price", "lineitem_price"];
    "item_discount", "Giảm giá hàng", "", ["giam_gia_hang", "giam_gia_san_pham", "lineitem_discount"];
    "discount", "Giảm giá đơn hàng", "20.000",
        ["giam_gia_don_hang", "giam_gia_hoa_don", "giam_gia", "chiet_khau", "discount_amount"];
    "shipping_fee", "Phí vận chuyển", "30.000", ["phi_van_chuyen", "phi_ship", "phi_giao_hang", "shipping"];
    "tax", "Thuế", "", ["thue", "vat", "thue_vat", "taxes"];
    "total", "Tổng tiền", "",
        ["tong_tien", "tong_cong", "tong_thanh_toan", "khach_can_tra", "khach_phai_tra", "tong_gia_tri_don_hang", "grand_total"];
    "paid", "Đã thanh toán", "", ["da_thanh_toan", "khach_da_tra", "da_tra", "so_tien_da_thanh_toan"];
    "currency", "Tiền tệ", "VND", ["tien_te", "loai_tien"];
    "status", "Trạng thái", "Hoàn thành", ["trang_thai", "trang_thai_don_hang", "tinh_trang", "order_status"];
    "payment_status", "Trạng thái thanh toán", "Đã thanh toán",
        ["trang_thai_thanh_toan", "tinh_trang_thanh_toan", "financial_status"];
    "payment_method", "Phương thức thanh toán", "Tiền mặt",
        ["phuong_thuc_thanh_toan", "hinh_thuc_thanh_toan", "thanh_toan", "pttt"];
    "receiver_name", "Người nhận", "Trần Thị An", ["nguoi_nhan", "ten_nguoi_nhan", "shipping_name"];
    "receiver_phone", "Điện thoại người nhận", "0912 345 678",
        ["dien_thoai_nguoi_nhan", "sdt_nguoi_nhan", "so_dien_thoai_nguoi_nhan", "shipping_phone"];
    "receiver_address", "Địa chỉ giao hàng", "12 Hàng Bạc",
        ["dia_chi_giao_hang", "dia_chi_nguoi_nhan", "dia_chi_nhan_hang", "dia_chi", "address", "shipping_street", "shipping_address1"];
    "receiver_ward", "Phường/Xã", "Hoàn Kiếm", ["phuong_xa", "phuong", "xa", "ward"];
    "receiver_district", "Quận/Huyện", "", ["quan_huyen", "quan", "huyen", "district"];
    "receiver_province", "Tỉnh/Thành phố", "Hà Nội",
        ["tinh_thanh_pho", "tinh_thanh", "tinh", "thanh_pho", "province", "city", "shipping_city"];
    "carrier", "Đơn vị vận chuyển", "GHN", ["don_vi_van_chuyen", "hang_van_chuyen", "doi_tac_giao_hang"];
    "tracking_code", "Mã vận đơn", "", ["ma_van_don", "tracking_number"];
    "branch", "Chi nhánh", "Hà Nội", ["chi_nhanh", "cua_hang"];
    "note", "Ghi chú", "", ["ghi_chu", "notes"];
    "tags", "Thẻ", "tết; sỉ", ["the", "nhan", "tag"];
    "cancel_reason", "Lý do hủy", "", ["ly_do_huy"];
    "paid_at", "Ngày thanh toán", "", ["ngay_thanh_toan"];
    "completed_at", "Ngày hoàn thành", "", ["ngay_hoan_thanh"];
    "source", "Nguồn", "", ["nguon"];
};

/// The columns of a file of products.
const PRODUCTS: &[SheetColumn] = columns! {
    "code", "Mã sản phẩm", "AO-TR",
        ["ma_san_pham", "ma_hang", "ma_hang_hoa", "ma_sp", "sku", "product_code", "ma"];
    "name", "Tên sản phẩm", "Áo thun trắng",
        ["ten_san_pham", "ten_hang", "ten_hang_hoa", "ten_sp", "product_name", "title", "ten"];
    "price", "Giá bán", "285.000", ["gia_ban", "gia", "gia_ban_le", "don_gia", "selling_price"];
    "compare_price", "Giá so sánh", "350.000", ["gia_so_sanh", "gia_goc", "gia_niem_yet", "compare_at_price"];
    "cost", "Giá vốn", "150.000", ["gia_von", "gia_nhap", "cost_price"];
    "currency", "Tiền tệ", "VND", ["tien_te", "loai_tien"];
    "unit", "Đơn vị tính", "cái", ["don_vi_tinh", "dvt", "don_vi"];
    "stock", "Tồn kho", "12", ["ton_kho", "ton", "so_luong_ton", "inventory"];
    "status", "Trạng thái", "Đang bán", ["trang_thai", "tinh_trang"];
    "brand", "Thương hiệu", "Gốm Chu Đậu", ["thuong_hieu", "nhan_hieu", "nha_cung_cap", "vendor"];
    "categories", "Danh mục", "Áo; Nữ", ["danh_muc", "nhom_hang", "loai_san_pham", "category", "type"];
    "tags", "Thẻ", "tết", ["the", "nhan", "tag"];
    "description", "Mô tả", "Vải cotton", ["mo_ta", "mo_ta_san_pham", "noi_dung"];
    "url", "Đường dẫn", "https://shop.example.vn/ao-thun", ["duong_dan", "link", "lien_ket"];
    "image", "Ảnh", "https://shop.example.vn/ao-thun.jpg", ["anh", "hinh_anh", "image_url", "link_anh", "image_src", "images"];
    "source", "Nguồn", "", ["nguon"];
};

impl Sheet {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Orders, Self::Products];
    /// The column by which a row is known.
    pub const KEY: &str = "code";

    /// The columns.
    pub fn columns(self) -> &'static [SheetColumn] {
        match self {
            Self::Orders => ORDERS,
            Self::Products => PRODUCTS,
        }
    }

    /// The name before the fields of a row: `order` in `order.code`.
    pub fn subject(self) -> &'static str {
        match self {
            Self::Orders => "order",
            Self::Products => "product",
        }
    }

    /// The column of this name.
    pub fn column(self, name: &str) -> Option<&'static str> {
        let found = self.columns().iter().find(|column| column.name == name);
        found.map(|column| column.name)
    }

    /// The column that a folded heading means.
    pub fn meant(self, heading: &str) -> Option<&'static str> {
        let is_meant =
            |column: &&SheetColumn| column.name == heading || column.headings.contains(&heading);
        self.columns()
            .iter()
            .find(is_meant)
            .map(|column| column.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_means_one_column_and_the_label_is_one_of_them() {
        for sheet in Sheet::ALL {
            let mut seen = std::collections::HashSet::new();
            for column in sheet.columns() {
                let label = crate::person::heading(column.label);
                assert_eq!(sheet.meant(&label), Some(column.name), "{label}");
                for heading in column.headings.iter().chain([&column.name]) {
                    assert!(seen.insert(heading), "{heading}");
                    assert_eq!(crate::person::heading(heading), *heading);
                }
            }
            assert_eq!(sheet.column(Sheet::KEY), Some("code"));
        }
    }
}
