//! What is sold, as a terminal knows it.

use serde_json::{Value, json};
use storebox_tests::{Random, Terminal};

/// Items the store counts: every so manieth of the menu.
const COUNTED: usize = 10;

/// The menu.
pub struct Menu {
    items: Vec<Value>,
    groups: Vec<Value>,
}

impl Menu {
    /// Makes some items stocked, and reads the menu.
    pub async fn prepare(owner: &mut Terminal) -> Self {
        let menu = owner.get("/api/v1/menu/sync").await.expect(200);
        let items = menu["items"].as_array().unwrap();
        let stocked: Vec<Value> = items.iter().step_by(items.len() / COUNTED).take(COUNTED).map(counted).collect();
        assert_eq!(stocked.len(), COUNTED);
        let bundle = json!({ "mode": "merge", "items": stocked });
        assert_eq!(owner.post("/api/local/catalogue", bundle).await.expect(200)["updated"], COUNTED);
        let menu = owner.get("/api/v1/menu/sync").await.expect(200);
        let list = |member: &str| menu[member].as_array().unwrap().clone();
        Self { items: list("items"), groups: list("modifierGroups") }
    }

    /// Ids of the items that are counted.
    pub fn stocked(&self) -> Vec<String> {
        let stocked = self.items.iter().filter(|item| item["stocked"] == true);
        stocked.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Something a guest might order.
    pub fn line(&self, random: &mut Random) -> Value {
        if random.below(40) == 0 {
            return json!({ "itemId": "cake", "name": "Birthday cake", "quantity": 1, "unitPrice": 3_333 });
        }
        // The counted ones are popular.
        let stocked = random.below(4) == 0;
        let choice: Vec<&Value> = self.items.iter().filter(|item| !stocked || item["stocked"] == true).collect();
        let item = choice[below(random, choice.len())];
        let quantity = match random.below(12) {
            0 => json!(1.5),
            1 => json!(0.333),
            2..=4 => json!(2),
            _ => json!(1),
        };
        let mut line = json!({ "itemId": item["id"], "quantity": quantity, "modifiers": self.modifiers(item, random) });
        if random.below(15) == 0 {
            line["unitPrice"] = json!(item["price"].as_i64().unwrap() - 111);
        }
        if random.below(10) == 0 {
            line["notes"] = json!("no onions");
        }
        line
    }

    /// Some lines.
    pub fn lines(&self, random: &mut Random) -> Vec<Value> {
        (0..=random.below(3)).map(|_| self.line(random)).collect()
    }

    fn modifiers(&self, item: &Value, random: &mut Random) -> Vec<Value> {
        let mut chosen = Vec::new();
        for group in item["modifierGroups"].as_array().unwrap() {
            let group = self.groups.iter().find(|other| other["id"] == *group).unwrap();
            let (least, most) = (group["min"].as_u64().unwrap(), group["max"].as_u64().unwrap());
            let mut choices = group["modifiers"].as_array().unwrap().clone();
            for _ in 0..least + random.below(most.min(2) - least.min(2) + 1) {
                let choice = choices.swap_remove(below(random, choices.len()));
                chosen.push(json!({ "modifierId": choice["id"] }));
            }
        }
        chosen
    }
}

/// The same item, counted from now on.
fn counted(item: &Value) -> Value {
    let mut counted = json!({ "stocked": true });
    for member in ["id", "name", "category", "price", "taxClass", "station", "modifierGroups"] {
        counted[member] = item[member].clone();
    }
    counted
}

/// An index of something so long.
pub fn below(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(u64::try_from(length).unwrap())).unwrap()
}
