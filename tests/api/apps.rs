//! Several apps: who asks as which, and that what one of them is shown is never shown for another.

use wecom_simulator::Hits;

use crate::access::house;

const KEY: (&str, &str) = ("authorization", "Bearer new-key");

#[tokio::test]
async fn an_answer_of_one_app_is_never_shown_for_another() {
    let house = house().await;
    let key = [("authorization", "Bearer new-key")];
    for _ in 0..2 {
        for (path, title) in [
            ("/meetings/m1", "Of sales"),
            ("/meetings/m1?app=sales", "Of sales"),
            ("/meetings/m1?app=hr", "Of hr"),
            ("/meetings/by-code/446153273?app=hr", "Of hr"),
        ] {
            assert_eq!(
                house.get_with(path, &key).await.json()["title"],
                title,
                "{path}"
            );
        }
    }
    assert_eq!(
        house.wecom.hits(),
        Hits {
            gettoken: 2,
            get_info: 3
        }
    );
}

/// Ways to one meeting, and what it is called there.
const SALES: [(&str, &str); 2] = [
    ("/meetings/m1?app=sales", "Of sales"),
    ("/meetings/by-code/446153273?app=sales", "Of sales"),
];
const HR: [(&str, &str); 2] = [
    ("/meetings/m1?app=hr", "Of hr"),
    ("/meetings/by-code/446153273?app=hr", "Of hr"),
];

#[tokio::test]
async fn whichever_is_asked_for_first_neither_app_is_given_the_others() {
    let ways = [SALES[0], SALES[1], HR[0], HR[1]];
    for order in (0..24).map(|number| permutation(ways, number)) {
        let house = house().await;
        for (path, title) in order.iter().chain(&order) {
            let reply = house.get_with(path, &[KEY]).await;
            assert_eq!(reply.json()["title"], *title, "{path} in {order:?}");
        }
        // By its number, each is found by its id too; by its id, not by its number.
        let get_info = house.wecom.hits().get_info;
        assert!((2..=4).contains(&get_info), "{get_info} in {order:?}");
    }
}

/// One of the orders that there are.
fn permutation<T: Copy, const N: usize>(items: [T; N], mut number: usize) -> Vec<T> {
    let mut left = items.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        order.push(left.remove(number % left.len()));
        number /= left.len() + 1;
    }
    order
}

#[tokio::test]
async fn a_purge_of_one_app_leaves_the_others_answers() {
    for (purge, left, gone) in [
        ("/cache?app=hr", SALES, HR),
        ("/cache/meetings/m1?app=hr", SALES, HR),
        ("/cache?app=sales", HR, SALES),
        ("/cache/meetings/m1?app=sales", HR, SALES),
    ] {
        let house = house().await;
        for (path, _) in SALES.iter().chain(&HR) {
            house.get_with(path, &[KEY]).await;
        }

        assert_eq!(house.purge(purge).await.status, 204, "{purge}");

        let before = house.wecom.hits().get_info;
        for (path, title) in left {
            let reply = house.get_with(path, &[KEY]).await;
            assert_eq!(reply.json()["title"], title, "{path} after {purge}");
        }
        assert_eq!(house.wecom.hits().get_info, before, "{purge}");
        for (path, title) in gone {
            let reply = house.get_with(path, &[KEY]).await;
            assert_eq!(reply.json()["title"], title, "{path} after {purge}");
        }
        assert!(house.wecom.hits().get_info > before, "{purge}");
    }
}

#[tokio::test]
async fn a_caller_asks_only_as_the_apps_its_key_covers() {
    let house = house().await;
    let key = [("authorization", "Bearer kiosk-key")];

    let forbidden = house.get_with("/meetings/m1?app=sales", &key).await;
    let unknown = house.get_with("/meetings/m1?app=nobody", &key).await;

    assert_eq!(forbidden.outcome(), (403, "app_not_allowed".to_owned()));
    assert_eq!(unknown.outcome(), (400, "unknown_app".to_owned()));
    assert_eq!(house.wecom.hits().get_info, 0);
}
