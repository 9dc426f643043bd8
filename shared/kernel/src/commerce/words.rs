//! The closed lists of words of orders. Pure.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$about:meta])* $name:ident as $schema:ident { $($(#[$doc:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            utoipa::ToSchema,
        )]
        #[schema(as = $schema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $word,)* }

        impl $name {
            /// Every word, in its order.
            pub const ALL: &[Self] = &[$(Self::$word,)*];

            /// The word as the API and the stored rows have it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }
        }
    };
}

words! {
    /// Where an order or a product comes from.
    #[derive(Default)]
    Source as OrderSource {
        /// Staff entered it.
        #[default]
        Manual = "manual",
        /// Haravan.
        Haravan = "haravan",
        /// KiotViet.
        Kiotviet = "kiotviet",
        /// Sapo.
        Sapo = "sapo",
        /// Shopee.
        Shopee = "shopee",
        /// Getfly.
        Getfly = "getfly",
        /// A LadiPage form.
        Ladipage = "ladipage",
        /// A system of the shop's own.
        Api = "api",
        /// Staff entered it in a conversation.
        Chat = "chat",
        /// A file.
        Import = "import",
    }
}

words! {
    /// The state of an order.
    #[derive(Default)]
    OrderStatus as OrderStatus {
        /// Not placed yet.
        Draft = "draft",
        /// Placed.
        #[default]
        New = "new",
        /// The shop has confirmed it.
        Confirmed = "confirmed",
        /// It is being packed.
        Processing = "processing",
        /// The carrier has it.
        Shipping = "shipping",
        /// The receiver has it.
        Delivered = "delivered",
        /// Delivered and settled.
        Completed = "completed",
        /// The goods came back.
        Returned = "returned",
        /// It will not be fulfilled.
        Cancelled = "cancelled",
    }
}

words! {
    /// How much of an order is paid.
    #[derive(Default)]
    PaymentStatus as OrderPaymentStatus {
        /// Nothing.
        #[default]
        Unpaid = "unpaid",
        /// A part.
        Partial = "partial",
        /// All.
        Paid = "paid",
        /// The money was given back.
        Refunded = "refunded",
    }
}

words! {
    /// How an order is paid.
    PaymentMethod as OrderPaymentMethod {
        /// Cash in the shop.
        Cash = "cash",
        /// Cash on delivery.
        Cod = "cod",
        /// A card.
        Card = "card",
        /// A bank transfer.
        BankTransfer = "bank_transfer",
        /// An electronic wallet.
        EWallet = "e_wallet",
        /// Another way.
        Other = "other",
    }
}

words! {
    /// Where the parcel of an order is.
    ShippingStatus as OrderShippingStatus {
        /// The shop still has it.
        Waiting = "waiting",
        /// The carrier took it over.
        Picked = "picked",
        /// On its way.
        InTransit = "in_transit",
        /// The receiver has it.
        Delivered = "delivered",
        /// It could not be delivered.
        Failed = "failed",
        /// On its way back.
        Returning = "returning",
        /// The shop has it again.
        Returned = "returned",
    }
}

words! {
    /// The state of a product.
    #[derive(Default)]
    ProductStatus as ProductStatus {
        /// For sale.
        #[default]
        Active = "active",
        /// Not shown in the shop.
        Hidden = "hidden",
        /// For sale again when there is stock.
        OutOfStock = "out_of_stock",
        /// Not sold any more, or deleted at its source.
        Archived = "archived",
    }
}

impl Source {
    /// Whether the orders are managed in the product. Those of other sources are changed at their source.
    pub fn is_own(self) -> bool {
        matches!(self, Self::Manual | Self::Api | Self::Chat | Self::Import)
    }
}

impl OrderStatus {
    /// Whether the tab of all orders leaves it out.
    pub fn is_void(self) -> bool {
        matches!(self, Self::Cancelled | Self::Returned)
    }

    /// Whether an order may go from this status to `next`: forward, and from each to returned or cancelled. A cancelled
    /// order stays cancelled.
    pub fn may_become(self, next: Self) -> bool {
        self < next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_stored_words() {
        for &status in OrderStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        for &source in Source::ALL {
            assert_eq!(serde_json::to_value(source).unwrap(), source.name());
        }
        for &method in PaymentMethod::ALL {
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
        for &status in ShippingStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        for &status in ProductStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        for &status in PaymentStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }

    #[test]
    fn an_order_moves_forward_or_ends() {
        use OrderStatus::{Cancelled, Completed, New, Returned, Shipping};
        assert!(New.may_become(Shipping) && Completed.may_become(Returned));
        assert!(New.may_become(Cancelled) && Returned.may_become(Cancelled));
        assert!(!Shipping.may_become(New) && !Cancelled.may_become(New));
        assert!(!New.may_become(New));
    }
}
