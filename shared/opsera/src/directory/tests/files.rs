//! Files of records.

use super::*;

#[test]
fn a_file_is_stored_whole_or_refused_line_by_line() {
    pollster::block_on(async {
        let db = database().await;
        let people_file = "\u{feff}email,firstName,team\n a@b.example ,\"Ann, \"\"the\"\" first\",Cranes\nc@d.example,,\n";
        assert_eq!(
            import(&db, Records::People, Format::Csv, people_file)
                .await
                .unwrap(),
            2
        );
        let mia = asker("mia");
        let ann: Json =
            serde_json::from_str(&people::show(&db, &mia, "a@b.example").await.unwrap()).unwrap();
        assert_eq!(ann["firstName"], "Ann, \"the\" first");
        let wrong = "email,team\nx@y.example,\nbad,\nX@y.example,\nC@d.example,\nz@z.example\n";
        let refusal = import(&db, Records::People, Format::Csv, wrong)
            .await
            .unwrap_err();
        assert_eq!(refusal.message(), "4 lines are wrong, nothing was stored");
        let told: Vec<(&str, &str)> = refusal
            .fields()
            .iter()
            .map(|one| (one.field.as_str(), one.message.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("line 3", "Invalid email format"),
                ("line 4", "Duplicate email address, as in line 2"),
                ("line 5", "Duplicate email address"),
                ("line 6", "has 1 fields instead of 2"),
            ]
        );
        let lines = "{\"projectId\": 1, \"projectName\": \"One\"}\n\n{\"projectId\": \"2\", \"projectName\": \"Two\", \"team\": \"Cranes\"}\n";
        assert_eq!(
            import(&db, Records::Projects, Format::JsonLines, lines)
                .await
                .unwrap(),
            2
        );
        let refusal = import(
            &db,
            Records::Projects,
            Format::JsonLines,
            "{\"projectId\": 3\n[]\n{\"projectId\": 1, \"projectName\": \"x\"}",
        )
        .await
        .unwrap_err();
        assert_eq!(refusal.fields().len(), 3, "{refusal:?}");
        let circle = "parent,child\na,b\nb,c\nc,a\n";
        let refusal = import(&db, Records::Hierarchy, Format::Csv, circle)
            .await
            .unwrap_err();
        assert_eq!(refusal.fields()[0].field, "line 4");
        let count = async |table: &str| {
            let sql = format!("select count(*) from {table}");
            db.first(&sql, &[])
                .await
                .unwrap()
                .unwrap()
                .integer(0)
                .unwrap()
        };
        assert_eq!(
            (
                count("directory_people").await,
                count("directory_projects").await
            ),
            (2, 2)
        );
        assert_eq!(count("directory_mappings").await, 0);
        assert!(import::read(Format::Csv, b"\xff\xfe").is_err());
        assert!(import::read(Format::Csv, b"").is_err());
        let many: String = (0..5000)
            .map(|n| format!("{{\"attribute1\": \"p{n}\", \"attribute2\": \"q\"}}\n"))
            .collect();
        assert_eq!(
            import(&db, Records::Mappings, Format::JsonLines, &many)
                .await
                .unwrap(),
            5000
        );
    });
}
