// The page of maps: what it is put together from, and what it refuses.

import JSON
import Notebook
import Testing

struct ExplorerTests {
  /// A map of one cell with some pairs, whose recordings are so many characters long.
  private func part(_ model: String, _ task: String = "t", pairs: Int = 1, sound: Int = 4) -> JSON {
    let names = (0..<pairs).map { "\(model)-\($0)" }
    return [
      "maps": [
        [
          "model": .string(model), "task": .string(task), "made": "</script><b>", "rows": ["a"],
          "columns": [["name": "w", "start": 0, "end": 80]],
          "directions": ["sufficiency": ["effect": [[0.5]]]],
          "pairs": .array(
            names.map { name in
              [
                "id": .string(name), "clean": ["sound": .string(name)],
                "corrupt": ["sound": .string(name)],
              ]
            }),
        ]
      ],
      "sounds": .object(
        Dictionary(
          uniqueKeysWithValues: names.map {
            ($0, ["pcm": .string(String(repeating: "A", count: sound))] as JSON)
          })),
    ]
  }

  @Test func thePageHoldsLibraryScriptsAndValues() throws {
    let page = try ExplorerPage([("a.json", part("one")), ("b.json", part("two"))])
      .html(library: "/* the library */")
    for name in ["/*STYLE*/", "/*SCRIPT*/", "/*LIBRARY*/", "/*DATA*/"] {
      #expect(!page.contains(name))
    }
    #expect(page.contains("<script>/* the library */</script>"))
    #expect(page.contains("function drawMap") && page.contains("function readAddress"))
    // What stands in the values cannot end the script that holds them.
    #expect(!page.contains("</script><b>") && page.contains("\\u003c/script>\\u003cb>"))
    let start = try #require(page.range(of: "id=\"data\">")?.upperBound)
    let end = try #require(page[start...].range(of: "</script>")?.lowerBound)
    let values = try JSON(parsing: Array(page[start..<end].utf8), name: "page")
    #expect(values["maps"]?.elements?.map { $0["model"]?.string } == ["one", "two"])
    #expect(values["sounds"]?.members?.keys.sorted() == ["one-0", "two-0"])
    // No host is asked for anything.
    #expect(!page.contains("src=") && !page.contains("href=\"http"))
  }

  /// The error of a page that is too large says how many pairs are not, and these are not.
  @Test func aPageThatIsTooLargeSaysHowManyPairsFit() throws {
    let sound = 1_000_000
    let page = try ExplorerPage([("a.json", part("one", pairs: 20, sound: sound))])
    let failure = #expect(throws: Failure.self) { try page.html(library: "") }
    let said = failure?.description ?? ""
    #expect(said.contains("of the 20 pairs a map 14 fit, so say --limit 14"), "\(said)")
    let fitting = try ExplorerPage([("a.json", part("one", pairs: 14, sound: sound))])
    #expect(try fitting.html(library: "").utf8.count <= ExplorerPage.limit)
    let one = try ExplorerPage([("a.json", part("one", sound: 16 * sound))])
    #expect(throws: Failure.self) { try one.html(library: "") }
  }

  @Test func whatIsNoMapIsRefusedByName() {
    func refuses(_ parts: [(String, JSON)], _ words: String) {
      let failure = #expect(throws: Failure.self) {
        try ExplorerPage(parts.map { (name: $0.0, json: $0.1) })
      }
      #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "nothing")")
    }
    refuses([("a.json", ["rows": ["a"]])], "a.json: holds no map")
    refuses(
      [("a.json", ["maps": [["model": "m", "task": "t"]], "sounds": [:]])],
      "a.json: holds a map without")
    refuses([("a.json", part("one")), ("b.json", part("one"))], "both of one, t")
    guard case .object(var members) = part("one") else { return }
    members["sounds"] = [:]
    refuses([("a.json", .object(members))], "has no sound of the clean member of pair one-0")
  }
}
