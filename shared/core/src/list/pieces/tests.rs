use super::*;
use crate::db::NativeDb;
use crate::error::Kind;
use crate::list::Field;
use serde_json::Value as Json;

static FIELDS: [Field; 2] = [
    Field::integer("key", "t.key"),
    Field::text("text", "t.text"),
];
static TEXTS: Resource = Resource {
    name: "Text",
    table: "texts t",
    fields: &FIELDS,
    search: None,
    of_tenant: false,
    counts: &[],
};

/// A table of texts of so many bytes each.
async fn texts(count: usize, bytes: usize) -> NativeDb {
    let db = NativeDb::in_memory();
    let texts = format!(
        "create table texts as with recursive n (key) as (
             select 1 union all select key + 1 from n where key < {count})
         select key, printf('%.*c', {bytes}, 'x') as text from n"
    );
    db.execute(&texts, &[]).await.unwrap();
    db
}

/// Everything, the last one first.
fn backwards() -> ListQuery {
    let request = crate::Request::new(http::Method::GET, "/texts?_sort=-key&_get_all_results=true");
    ListQuery::parse(&TEXTS, &request, &[]).unwrap()
}

fn scope() -> Scope {
    Scope::public()
}

fn keys_of(body: &[u8]) -> Vec<i64> {
    let body: Json = serde_json::from_slice(body).unwrap();
    let items = body["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["key"].as_i64().unwrap())
        .collect()
}

#[test]
fn an_ordinary_page_is_one_row() {
    pollster::block_on(async {
        let db = texts(20, 1000).await;
        let statement = TEXTS.page_statement(&scope(), &backwards());
        let rows = db.query(&statement.sql, &statement.parameters).await;
        assert_eq!(rows.unwrap().len(), 1);
        let response = open_page(&db, statement)
            .await
            .unwrap()
            .respond(&backwards());
        assert!(response.made.is_none());
        let expected: Vec<i64> = (1..=20).rev().collect();
        assert_eq!(keys_of(&response.body), expected);
    });
}

#[test]
fn a_page_without_items_has_a_total() {
    pollster::block_on(async {
        let db = texts(3, 10).await;
        let mut query = backwards();
        query.paging = Paging {
            size: 0,
            offset: 0,
            all_results: false,
            with_total: true,
        };
        let page = TEXTS.page(&db, &scope(), &query).await.unwrap();
        assert_eq!((page.total, page.items.as_str()), (Some(3), "[]"));
    });
}

#[test]
fn a_large_page_is_sent_in_pieces_in_its_order() {
    pollster::block_on(async {
        let db = texts(300, 10_000).await;
        let response = TEXTS.open_page(&db, &scope(), &backwards()).await.unwrap();
        let response = response.respond(&backwards());
        let made = response.made.unwrap();
        let (mut body, mut parts) = (Vec::new(), 0);
        while let Some(part) = made.next().await.unwrap() {
            assert!(part.len() < (PIECE + 20_000) as usize, "{}", part.len());
            body.extend_from_slice(&part);
            parts += 1;
        }
        assert!(parts > 5, "{parts}");
        let expected: Vec<i64> = (1..=300).rev().collect();
        assert_eq!(keys_of(&body), expected);
        let whole = TEXTS.page(&db, &scope(), &backwards()).await.unwrap();
        assert_eq!(whole.respond(&backwards()).body, body);
        assert_eq!(response.headers, whole.respond(&backwards()).headers);
    });
}

#[test]
fn what_is_gone_when_its_piece_is_sent_is_left_out() {
    pollster::block_on(async {
        for gone in ["key = 300", "key between 240 and 300", "key < 200", "1"] {
            let db = texts(300, 10_000).await;
            let page = TEXTS.open_page(&db, &scope(), &backwards()).await.unwrap();
            let sql = format!("delete from texts where {gone}");
            db.execute(&sql, &[]).await.unwrap();
            let made = page.respond(&backwards()).made.unwrap();
            let mut body = Vec::new();
            while let Some(part) = made.next().await.unwrap() {
                assert!(!part.is_empty(), "{gone}: who reads would stop here");
                body.extend(part);
            }
            let left = db
                .query("select key from texts order by key desc", &[])
                .await;
            let left = left.unwrap();
            let left: Vec<i64> = left.iter().map(|row| row.integer(0).unwrap()).collect();
            assert_eq!(keys_of(&body), left, "{gone}");
        }
    });
}

#[test]
fn a_page_that_is_too_large_is_refused_with_a_size_that_fits() {
    pollster::block_on(async {
        let db = texts(80, 1_000_000).await;
        let mut query = backwards();
        let refusal = TEXTS.page(&db, &scope(), &query).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::BadParameters);
        assert!(refusal.message().contains("_size=44"), "{refusal:?}");
        query.paging = Paging {
            size: 44,
            offset: 0,
            all_results: false,
            with_total: true,
        };
        assert_eq!(
            TEXTS.page(&db, &scope(), &query).await.unwrap().total,
            Some(80)
        );
    });
}

#[test]
fn nothing_of_a_list_is_a_value_over_a_megabyte() {
    pollster::block_on(async {
        let db = texts(200_000, 10).await;
        let statement = TEXTS.page_statement(&scope(), &backwards());
        let mut rows = Vec::new();
        for sql in [&statement.sql, &statement.pieces] {
            rows.extend(db.query(sql, &statement.parameters).await.unwrap());
        }
        assert!(rows.len() > 10, "{}", rows.len());
        for row in &rows {
            let text = row.text(1).unwrap_or_default();
            assert!(text.len() < 1 << 20, "{}", text.len());
        }
    });
}
