-- SPDX-License-Identifier: MIT
-- Tests of the Lua module, for every Lua and for both modules.
-- Usage: lua test_module.lua MODULE     ML_SOURCE_ROOT and ML_C_MODEL are in the environment
local module = arg[1] or "libml"
local ml = require(module)
local root = os.getenv("ML_SOURCE_ROOT") or "."
local adult = root .. "/examples/data/adult/train.csv.gz"
local unpack = table.unpack or unpack
local passed, failed = 0, 0

local function check(ok, what)
    if ok then
        passed = passed + 1
        return
    end
    failed = failed + 1
    local level = 2
    while debug.getinfo(level, "n").name do
        local at = debug.getinfo(level, "S")
        if at.what == "Lua" and at.linedefined > 60 then break end
        level = level + 1
    end
    print(("line %d: %s"):format(debug.getinfo(level, "l").currentline, what or "failed"))
end

local function equal(got, wanted)
    check(got == wanted, ("got %s, wanted %s"):format(tostring(got), tostring(wanted)))
end

local function near(got, wanted, by)
    check(math.abs(got - wanted) <= (by or 1e-12),
          ("got %.17g, wanted %.17g"):format(got, wanted))
end

-- f(...) raises an error whose text has the pattern.
local function raises(pattern, f, ...)
    local done, err = pcall(f, ...)
    check(not done and tostring(err):find(pattern, 1, false),
          ("an error with '%s', got %s %s"):format(pattern, tostring(done), tostring(err)))
    return err
end

-- What f gives is nil and an error of that status whose message has the pattern.
local function fails(status, pattern, value, err)
    local ok = value == nil and type(err) == "table" and err.status == status
        and err.message:find(pattern)
    check(ok, ("nil and %s with '%s', got %s, %s %s"):format(
        status, pattern, tostring(value), type(err) == "table" and err.status or "",
        tostring(err)))
    return err
end

local tests, order = {}, {}
setmetatable(tests, { __newindex = function(t, name, f)
    order[#order + 1] = name
    rawset(t, name, f)
end })

local function small_table()
    return ml.assert(ml.table({
        x = { 1, 2, 3, 4, 5, 6, 7, 8 },
        color = { "red", "blue", "red", "blue", "red", "blue", "red", ml.null },
        y = { 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5, 16.5 },
    }, { "x", "color", "y" }))
end

local function adult_table(rows)
    return ml.assert(ml.read_csv(adult, { max_rows = rows or 2000 }))
end

local function linear_model()
    return ml.assert(ml.assert(ml.linear_regression({ target = "y", ignore = { "color" } }))
                     :fit(small_table()))
end

local function tree_model(params)
    local all = { target = "income", n_trees = 10, max_leaves = 8 }
    for name, value in pairs(params or {}) do all[name] = value end
    return ml.assert(ml.assert(ml.gbdt(all)):fit(adult_table()))
end

local function squared(round)
    local scores, labels = round.scores, round.labels
    for i = 1, #scores do
        round.gradients[i] = scores[i] - labels[i]
        round.hessians[i] = 1
    end
end

-- ---- values ----

function tests.vectors()
    local v = ml.vector(3)
    equal(#v, 3)
    equal(v[1], 0)
    v[2] = 1.5
    equal(v[2], 1.5)
    equal(v[0], nil)
    equal(v[4], nil)
    equal(v[1.5], nil)
    raises("outside", function() v[4] = 1 end)
    raises("outside", function() v[0] = 1 end)
    raises("number", function() v[1] = "red" end)
    v[3] = ml.null
    check(v[3] ~= v[3], "null is a missing value")
    local w = ml.vector({ 1, 2, 3 })
    equal(w[3], 3)
    equal(w:fill(7), w)
    equal(w[1], 7)
    w:set({ 4, 5 })
    equal(table.concat(w:table(), " "), table.concat({ w[1], w[2], w[3] }, " "))
    equal(w[2], 5)
    raises("do not fit", w.set, w, { 1, 2, 3, 4 })
    equal(ml.vector(w)[2], 5)
    raises("item 2 is a string", ml.vector, { 1, "two" })
    raises("cannot be", ml.vector, -1)
    raises(".", ml.vector, "red")
    check(tostring(w):find("vector of 3"))
    equal(ml.type(w), "vector")
    equal(w.nothing, nil)
    equal(#ml.vector(0), 0)
end

function tests.tables()
    local t = small_table()
    equal(t:rows(), 8)
    equal(table.concat(t:columns(), ","), "x,color,y")
    equal(t:column_type("x"), "i64")
    equal(t:column_type("y"), "f64")
    equal(t:get(2, 1), 2)
    equal(t:get(2, "color"), "blue")
    equal(t:get(8, "color"), nil)
    equal(t:text(1, "y"), "2.5")
    equal(t:get(99, 1), nil)
    equal(t:find("y"), 3)
    equal(t:find("z"), nil)
    local y = t:column("y")
    equal(#y, 8)
    equal(y[8], 16.5)
    local colors = t:column("color")
    equal(colors[1], "red")
    equal(colors[8], ml.null)
    equal(#colors, 8)
    local s = t:select({ "y", "x" })
    equal(table.concat(s:columns(), ","), "y,x")
    equal(t:select("x"):get(1, 1), 1)
    local part = t:slice(2, 4)
    equal(part:rows(), 3)
    equal(part:get(1, "x"), 2)
    equal(t:take({ 8, 1, 1 }):get(1, "x"), 8)
    equal(t:with("z", ml.vector(8)):get(3, "z"), 0)
    equal(t:with("x", { true, false, true, true, true, true, true, true }):get(2, "x"), false)
    local train, test = t:split()
    equal(train:rows() + test:rows(), 8)
    equal(t:records()[2].color, "blue")
    equal(t:records()[8].color, nil)
    local again = ml.records(t:records(), { "x", "color" })
    equal(again:get(8, "color"), nil)
    equal(again:get(7, "x"), 7)
    equal(table.concat(ml.records(t:records()):columns(), ","), "color,x,y")
    check(t:profile():find("missing"), "a profile")
    if _VERSION ~= "Lua 5.1" or jit then equal(#t, 8) end
end

function tests.bad_tables()
    local t = small_table()
    raises("row 2: a string among values of type number", ml.table, { x = { 1, "two" } })
    raises("a table is no value", ml.table, { x = { {} } })
    raises("array is expected", ml.table, { x = 5 })
    raises("needs a column", ml.table, {})
    raises("no column", ml.table, { x = { 1 } }, { "y" })
    raises("named", ml.table, { { 1 } })
    raises("table of columns", ml.table, 1)
    fails("ML_E_SHAPE", ".", ml.table({ x = { 1, 2 }, y = { 1 } }))
    fails("ML_E_NAME", "nope", t:select({ "nope" }))
    fails("ML_E_RANGE", ".", t:take({ 9 }))
    fails("ML_E_RANGE", ".", t:take({ 0 }))
    fails("ML_E_RANGE", ".", t:slice(5, 99))
    raises("no whole number", t.take, t, { 1.5 })
    raises("no text", t.select, t, { {} })
    raises("no column", t.get, t, 1, "nope")
    raises("whole number", t.get, t, 1.5, 1)
    raises("number expected", t.get, t, "one", 1)
end

function tests.csv()
    local path = os.tmpname()
    local t = small_table()
    ml.assert(t:write_csv(path))
    local back = ml.assert(ml.read_csv(path, { types = "x:f64" }) or ml.read_csv(path))
    equal(back:rows(), 8)
    equal(back:get(8, "color"), nil)
    os.remove(path)
    local parts = {}
    ml.assert(t:write_csv_io(function(part) parts[#parts + 1] = part end))
    local text = table.concat(parts)
    check(text:find("x,color,y\n1,red,2.5"), text)
    local at = 1
    local read = ml.assert(ml.read_csv_io(function()
        if at > #text then return nil end
        at = at + 7
        return text:sub(at - 7, at - 1)
    end))
    equal(read:rows(), 8)
    equal(read:get(8, "y"), 16.5)
    local err = fails("ML_E_IO", "cannot open", ml.read_csv("/nowhere/at/all.csv"))
    equal(tostring(err), err.message)
    equal(err.code, -9)
    equal(type(err.location), "string")
    equal(type(err.hint), "string")
    fails("ML_E_NAME", "delimeter", ml.read_csv(adult, { delimeter = "," }))
    raises("text holds a NUL", ml.read_csv, "a\0b")
    raises("string expected", ml.read_csv, {})
end

function tests.tensors()
    local t = ml.tensor({ { 1, 2, 3 }, { 4, 5, 6 } })
    equal(t:get(2, 3), 6)
    equal(table.concat(t:shape(), "x"), "2x3")
    equal(t:dtype(), "f64")
    equal(t:vector()[4], 4)
    local cube = ml.tensor({ 1, 2, 3, 4, 5, 6, 7, 8 }, { 2, 2, 2 })
    equal(#cube:shape(), 3)
    raises("does not fit", ml.tensor, { 1, 2, 3 }, { 2, 2 })
    raises("row 2 has 1 numbers", ml.tensor, { { 1, 2 }, { 1 } })
    raises("at most 8", ml.tensor, { 1 }, { 1, 1, 1, 1, 1, 1, 1, 1, 1 })
    local table2 = ml.read_tensor(t, { "a", "b", "c" })
    equal(table2:get(2, "b"), 5)
    local pointer = t:write_dlpack(0)
    equal(ml.read_dlpack(pointer, 0):get(2, 2), 5)
end

-- ---- fitting ----

function tests.parameters()
    local e = ml.gbdt({ target = "income", n_trees = 7, learning_rate = 0.25,
                        ignore = { "age", 'a, "b"' }, categorical = "zip" })
    local p = e:params()
    equal(p.n_trees, 7)
    equal(p.learning_rate, 0.25)
    equal(p.ignore[2], 'a, "b"')
    equal(p.ignore[1], "age")
    equal(p.categorical[1], "zip")
    equal(p.features, nil)
    equal(e:set("max_depth", 4), e)
    equal(e:set({ max_depth = 5, eta = 0.5 }):params().learning_rate, 0.5)
    equal(e:params().max_depth, 5)
    equal(e:algorithm(), "gbdt")
    equal(e:clone():params().n_trees, 7)
    local err = fails("ML_E_NAME", "n_tress", ml.gbdt({ n_tress = 3 }))
    check(err.message:find("n_trees"), "the nearest name")
    fails("ML_E_RANGE", "n_trees", ml.gbdt({ n_trees = 0 }))
    fails("ML_E_TYPE", "n_trees", ml.gbdt({ n_trees = "many" }))
    raises("is no value of a parameter", ml.gbdt, { n_trees = print })
    raises("options are named", ml.gbdt, { 3 })
    raises("params expected, got string", ml.gbdt, "n_trees")
    fails("ML_E_NAME", "nothing", ml.estimator("nothing"))
    equal(ml.nothing_of_that_name, nil)
    equal(ml["options.csv"], nil)
    local set = ml.params()
    set:set("n_trees", 12)
    ml.assert(set:read_yaml("learning_rate: 0.5\n"))
    equal(set:get("n_trees"), 12)
    check(set:write_yaml():find("n_trees: 12"))
    equal(ml.gbdt(set):params().learning_rate, 0.5)
    fails("ML_E_PARSE", ".", set:read_yaml("a: ["))
end

function tests.pipelines()
    local e = ml.assert(ml.pipeline({ target = "y", features = { "x" },
                                      steps = { "imputer", "model=gbdt" },
                                      model = { n_trees = 3, min_data_in_leaf = 1 } }))
    equal(e:params()["model.n_trees"], 3)
    local m = ml.assert(e:fit(small_table()))
    check(m:predictor():row({ x = 8 })[1] > m:predictor():row({ x = 1 })[1])
    fails("ML_E_NAME", "n_tres", e:set({ model = { n_tres = 3 } }))
    local loop = {}
    loop.again = loop
    raises("too deep", e.set, e, loop)
    raises("options are named", e.set, e, { model = { [true] = 1 } })
end

function tests.schemas()
    local s = ml.schema("gbdt")
    local found
    for _, p in ipairs(s:list("params")) do found = found or p.name == "n_trees" and p end
    equal(found.type, "int")
    equal(s:list("algorithm")[1].name, "gbdt")
    check(#s:list("kinds") >= 2 and #s:list("attributes") >= 2 and #s:list("roles") >= 2)
    raises("no group", s.list, s, "things")
    check(s:json():find('"gbdt"'))
    fails("ML_E_NAME", ".", ml.schema("nothing"))
    local names = table.concat(ml.names(), " ")
    check(names:find("gbdt") and names:find("linear_regression"))
    check(table.concat(ml.names("metric"), " "):find("metric.rmse"))
end

function tests.fit_and_predict()
    local m = linear_model()
    near(m:attribute("coef"):get(1), 2, 1e-9)
    equal(table.concat(m:inputs(), ","), "x")
    equal(m:algorithm(), "linear_regression")
    local p = ml.assert(m:predictor())
    local out = ml.assert(p:row(ml.vector({ 10 })))
    near(out[1], 20.5, 1e-9)
    equal(p:row(ml.vector({ 3 }), out), out)
    near(out[1], 6.5, 1e-9)
    near(p:row({ 4 })[1], 8.5, 1e-9)
    near(p:row({ x = 5 })[1], 10.5, 1e-9)
    local many = p:rows(ml.vector({ 1, 2, 3 }))
    near(many[3], 6.5, 1e-9)
    near(p:rows(ml.vector({ 1, 2, 3 }), 2)[2], 4.5, 1e-9)
    local sparse = p:sparse_rows(ml.vector({ 1, 1, 2, 3 }), ml.vector({ 1, 1 }),
                                 ml.vector({ 2, 3 }))
    for i, x in ipairs({ 0, 2, 3 }) do equal(sparse[i], p:row({ x })[1]) end
    fails("ML_E_RANGE", "row 1", p:sparse_rows(ml.vector({ 1, 1, 2 }), ml.vector({ 2 }),
                                               ml.vector({ 2 })))
    raises("do not fit", p.sparse_rows, p, ml.vector({ 1, 2 }), ml.vector({ 1, 1 }),
           ml.vector({ 2, 2 }))
    raises("vector expected", p.sparse_rows, p, ml.vector({ 1, 2 }), { 1 }, ml.vector({ 2 }))
    near(p:run(small_table()):get(8), 16.5, 1e-9)
    near(p:run_table(small_table()):get(8, 1), 16.5, 1e-9)
    near(m:predict(small_table()):get(1, 1), 2.5, 1e-9)
    check(m:evaluate(small_table(), { "rmse", "r2" }).rmse < 1e-9)
    fails("ML_E_NAME", "nope", m:evaluate(small_table(), "nope"))
    fails("ML_E_NAME", "nope", m:predictor("nope"))
    fails("ML_E_NAME", "x", p:run(ml.table({ z = { 1 } })))
    raises("has no \"x\"", p.row, p, { z = 1 })
    raises("model has 1 inputs", p.row, p, { 1, 2 })
    raises("model has 1 inputs", p.row, p, ml.vector(2))
    raises("a string is no number", p.row, p, { x = "red" })
    raises("do not fit a vector", p.rows, p, ml.vector(3), 3, ml.vector(2))
    raises("does not hold", p.rows, p, ml.vector(3), 4)
    raises("does not hold", p.rows, p, ml.vector(3), -1)
    fails("ML_E_NAME", "yy", ml.linear_regression({ target = "yy" }):fit(small_table()))
    raises("table expected, got model", ml.linear_regression({ target = "y" }).fit,
           ml.linear_regression({ target = "y" }), m)
end

function tests.categories()
    local m = tree_model()
    local t = adult_table()
    local p = ml.assert(m:predictor("proba"))
    local whole = p:run(t)
    local rows, out = t:records(), ml.vector(2)
    local worst = 0
    for i = 1, 50 do
        for _, name in ipairs(m:inputs()) do
            if rows[i][name] == nil then rows[i][name] = ml.null end
        end
        ml.assert(p:row(rows[i], out))
        worst = math.max(worst, math.abs(out[2] - whole:get(i, 2)))
    end
    equal(worst, 0)
    equal(#m:classes(), 2)
    equal(#p:outputs(), 2)
    local at
    for i, name in ipairs(m:inputs()) do at = name == "education" and i or at end
    check(p:code("education", "Bachelors") >= 0)
    equal(p:code("education", "Bachelors"), p:code(at, "Bachelors"))
    check(p:code("education", "nope") ~= p:code("education", "nope"), "unseen is NaN")
    raises("no input", p.code, p, "nope", "x")
    local strict = m:predictor("proba", { unseen = "error" })
    rows[1].education = "nope"
    raises('no category "nope"', strict.row, strict, rows[1])
    rows[1].education = nil
    raises('has no "education"', p.row, p, rows[1])
    local lenient = m:predictor("proba", { missing_columns = "missing" })
    check(lenient:row(rows[1])[2] >= 0)
end

-- A table through C and through Lua gives the same model, byte for byte.
function tests.same_bytes_as_c()
    local program = os.getenv("ML_C_MODEL")
    if not program then
        print("SKIP: no ML_C_MODEL")
        return
    end
    local path = os.tmpname()
    local done = os.execute(('"%s" "%s" "%s"'):format(program, adult, path))
    check(done == true or done == 0, "the C program")
    local file = io.open(path, "rb")
    local from_c = file:read("*a")
    file:close()
    os.remove(path)
    local m = tree_model()
    check(#from_c > 1000 and m:bytes() == from_c, "the same bytes as C")
    local loaded = ml.assert(ml.load_bytes(from_c))
    check(loaded:bytes() == from_c, "loaded and saved")
    local again = tree_model({ n_trees = 11 })
    check(again:bytes() ~= from_c, "another model has other bytes")
end

function tests.model_files()
    local m, path = linear_model(), os.tmpname()
    ml.assert(m:save(path))
    local loaded = ml.assert(ml.load(path))
    check(loaded:bytes() == m:bytes())
    equal(loaded:params().target, "y")
    check(loaded:json():find("linear_regression"))
    os.remove(path)
    fails("ML_E_IO", ".", ml.load(path .. ".no"))
    fails("ML_E_FORMAT", ".", ml.load_bytes("this is no model file at all"))
    fails("ML_E_FORMAT", ".", ml.load_bytes(""))
    fails("ML_E_FORMAT", ".", ml.load_bytes(m:bytes():sub(1, -9)))
    fails("ML_E_IO", ".", m:save("/nowhere/at/all"))
    fails("ML_E_CALLBACK", "answered false", m:save_io(function() return false end))
end

function tests.joins_and_groups()
    local people = ml.table({ id = { 1, 2, 3 }, name = { "Ann", "Bob", "Cy" } })
    local pets = ml.table({ id = { 3, 1, 3 }, pet = { "cat", "dog", "fish" } })
    local both = ml.assert(people:join(pets, { on = { "id" } }))
    equal(both:rows(), 3)
    equal(both:get(1, "pet"), "dog")
    equal(both:get(2, "name"), "Cy")
    equal(people:join(pets, { on = { "id" }, how = "left" }):get(2, "pet"), nil)
    fails("ML_E_NAME", "ident", people:join(pets, { on = { "ident" } }))
    fails("ML_E_ARGUMENT", "on", people:join(pets))
    raises("table expected, got nil", people.join, people)
    local sums = ml.assert(pets:aggregate(nil, { by = { "id" }, aggregates = { "n = count()" } }))
    equal(sums:get(1, "id"), 3)
    equal(sums:get(1, "n"), 2)
    local each = ml.assert(pets:aggregate(people, { by = { "id" },
                                                    aggregates = { "n = count()" } }))
    equal(each:rows(), 3)
    equal(each:get(3, "n"), 2)
    fails("ML_E_ARGUMENT", "aggregates", pets:aggregate())
    raises("params expected, got number", pets.aggregate, pets, nil, 3)
end

function tests.checks()
    local m, t = tree_model(), adult_table()
    local folds = ml.assert(m:check(nil, t, { folds = 3, metric = "accuracy" }))
    check(folds:rows() >= 3)
    local bins = ml.assert(m:check(nil, t, { method = "calibration" }))
    check(bins:find("observed"), table.concat(bins:columns(), ","))
    local two = ml.assert(m:check(tree_model({ n_trees = 2 }), t, { method = "compare" }))
    check(two:rows() >= 1)
    fails("ML_E_NAME", "nope", m:check(nil, t, { nope = 1 }))
    raises("table expected", m.check, m, nil, m)
end

function tests.metrics()
    near(ml.score("rmse", { 1, 2, 3 }, { 1, 2, 5 }), math.sqrt(4 / 3))
    near(ml.score("mae", ml.vector({ 1, 2 }), ml.tensor({ 2, 4 }), { weight = { 1, 3 } }),
         1.75)
    fails("ML_E_NAME", "rsme", ml.score("rsme", { 1 }, { 1 }))
    fails("ML_E_SHAPE", ".", ml.score("rmse", { 1, 2 }, { 1 }))
end

-- Whatever errors say about rows counts from 1, as indices do.
function tests.places_of_errors()
    local t = small_table()
    local err = fails("ML_E_RANGE", "8 rows", t:take({ 1, 8, 9 }))
    equal(err.location, "rows, item 3")
    check(not err.message:find("row 8", 1, true))
    check(not fails("ML_E_RANGE", "8 rows", t:slice(2, 9)).message:find("1"))
    err = fails("ML_E_DATA", "finite", ml.score("rmse", { 1, 2, 3 }, { 1, ml.null, 3 }))
    equal(err.location, "prediction, row 2")
    err = fails("ML_E_DATA", ".", ml.score("accuracy", { 0, 1, 0.5 }, { 0, 1, 1 }))
    equal(err.location, "truth, row 3")
    local with = t:with("y", { 1, 2, 3, 1 / 0, 5, 6, 7, 8 })
    err = fails("ML_E_DATA", ".", ml.linear_regression({ target = "y" }):fit(with))
    equal(err.location, 'column "y", row 4')
    local s = ml.assert(ml.study(ml.baseline(), nil, { space = "x: [0.0, 1.0]" }))
    check(not fails("ML_E_RANGE", "no such trial", s:tell(3, 1)).message:find("2"))
    ml.assert(s:tell(s:ask(), 1))
    check(not fails("ML_E_STATE", "told already", s:tell(1, 1)).message:find("0"))
end

function tests.studies()
    local e = ml.gbdt({ target = "y", n_trees = 5, min_data_in_leaf = 1 })
    local s = ml.assert(ml.study(e, small_table(), {
        tune = { "learning_rate" }, n_trials = 3, metric = "rmse" }))
    local seen = 0
    ml.assert(s:run(function(p) seen = math.max(seen, p.trial or 0) end))
    check(seen >= 1, "trials start at 1")
    equal(s:get_table("trials"):rows(), 3)
    local params, score = s:best_params()
    check(params.learning_rate > 0 and score >= 0)
    equal(ml.type(s:best_model()), "model")
    local asked = ml.assert(ml.study(e, nil, { tune = { "max_depth=int [1, 4]" }, n_trials = 4 })
                            or ml.study(e, nil, { tune = { "learning_rate" }, n_trials = 4 }))
    local trial, given = asked:ask()
    equal(trial, 1)
    equal(type(given), "table")
    ml.assert(asked:tell(trial, 0.5))
    fails("ML_E_NAME", ".", ml.study(e, small_table(), { tune = { "nope" } }))
end

function tests.studies_of_ones_own_functions()
    local tried = {}
    local function cost(params, trial)
        tried[trial] = params.x
        return (params.x - 0.3) ^ 2
    end
    local options = { space = "x: [0.0, 1.0]", metric = "rmse", n_trials = 6, seed = 1 }
    local s = ml.assert(ml.study(ml.baseline(), nil, options))
    equal(s:optimize(cost), s)
    equal(#tried, 6)
    local best, score = s:best_params()
    near(score, (best.x - 0.3) ^ 2)
    ml.assert(s:optimize(cost, 2))
    equal(s:get_table("trials"):rows(), 6)  -- as many as the option says
    local grid = ml.assert(ml.study(ml.baseline(), nil, { space = "x: [1, 3]", sampler = "grid" }))
    raises("a number of trials", grid.optimize, grid, cost, "many")
    equal(ml.assert(grid:optimize(cost, 100)):get_table("trials"):rows(), 3)
    local failing = ml.assert(ml.study(ml.baseline(), nil, options))
    raises("oh no", failing.optimize, failing, function() error("oh no") end)
    raises("a score is a number", failing.optimize, failing, function() return "much" end)
    ml.assert(failing:optimize(function() return nil end, 1))
    local states = failing:get_table("trials"):column("state")
    equal(table.concat(states, " "), "failed failed failed")
    raises("a function is expected", s.optimize, s, 3)
    s:free()
    raises("freed", s.optimize, s, cost)
end

-- How many trials `optimize` makes under these options.
local function trials_of(options, f, trials)
    local all = { space = "x: [0.0, 1.0]", sampler = "random", seed = 1 }
    for name, value in pairs(options) do all[name] = value end
    local s = ml.assert(ml.study(ml.baseline(), nil, all))
    ml.assert(s:optimize(f or function(params, trial) return trial end, trials))
    local rows = s:get_table("trials"):rows()
    s:free() -- and with it the journal, which one study at a time writes
    return rows
end

function tests.limits_of_ones_own_functions()
    equal(trials_of({}), 50)
    equal(trials_of({}, nil, 60), 60)
    for _, name in ipairs({ "n_trials", "trials", "n_iter", "max_evals" }) do
        equal(trials_of({ [name] = 3 }), 3)
        equal(trials_of({ [name] = "3" }), 3)
    end
    equal(trials_of({ patience = 4 }), 5)
    equal(trials_of({ time = 1e-9 }), 1)
    equal(trials_of({ target_score = 5, direction = "maximize" }), 5)
    local path = os.tmpname()
    os.remove(path)
    equal(trials_of({ journal = path }, nil, 20), 20)
    equal(trials_of({ journal = path }), 50)
    os.remove(path)
end

function tests.objectives_of_ones_own_functions()
    local s = ml.assert(ml.study(ml.baseline(), nil, {
        space = "x: [0.0, 1.0]", n_trials = 4, objectives = { "cost" } }))
    fails("ML_E_STATE", '"cost" has not been told', s:optimize(function() return 1 end))
    ml.assert(s:optimize(function(params, trial)
        ml.assert(s:tell_value(trial, "cost", 0, 1 - params.x))
        return params.x
    end))
    local states = s:get_table("trials"):column("state")
    equal(table.concat(states, " "), "failed done done done")
end

function tests.studies_of_a_loss()
    local calls, watched = 0, 0
    local e = ml.gbdt({ target = "y", n_trees = 4, min_data_in_leaf = 1 })
    ml.assert(e:set_objective(function(round)
        calls = calls + 1
        squared(round)
    end))
    ml.assert(e:set_metric(function(round)
        watched = watched + 1
        return math.abs(round.scores[1] - round.labels[1])
    end))
    local options = { tune = { "learning_rate" }, n_trials = 3, metric = "rmse", parallel = 4,
                      folds = 2 }
    local s = ml.assert(ml.study(e, small_table(), options))
    ml.assert(e:set_objective(nil))  -- the study has its own
    ml.assert(s:run())
    equal(calls, 3 * 2 * 4)
    check(watched > 0)
    local model = ml.assert(s:best_model())
    local rounds = model:attribute("n_rounds")
    equal(calls, 3 * 2 * 4 + rounds)
    local same = ml.gbdt({ target = "y", n_trees = rounds, min_data_in_leaf = 1,
                           learning_rate = s:best_params().learning_rate,
                           min_gain_ratio = 0 })  -- as in folds, where rows watch
    ml.assert(same:set_objective(squared))
    near(same:fit(small_table()):predict(small_table()):get(8, 1),
         model:predict(small_table()):get(8, 1))
    calls = 0
    ml.assert(e:set_objective(function() calls = calls + 1; error("no gradient") end))
    s = ml.assert(ml.study(e, small_table(), options))
    e = nil
    collectgarbage()
    local err = fails("ML_E_CALLBACK", "no gradient", s:run())
    check(tostring(err.cause):find("no gradient"))
    equal(calls, 1)
    local seen = 0
    fails("ML_E_CALLBACK", "no gradient", s:run(function() seen = seen + 1 end))
    -- A fit inside of a loss has its own functions.
    local inner = ml.gbdt({ target = "y", n_trees = 2, min_data_in_leaf = 1 })
    local outer = ml.gbdt({ target = "y", n_trees = 2, min_data_in_leaf = 1 })
    local inside = 0
    ml.assert(inner:set_objective(function(round) inside = inside + 1; squared(round) end))
    ml.assert(outer:set_objective(function(round)
        ml.assert(inner:fit(small_table()))
        squared(round)
    end))
    ml.assert(outer:fit(small_table()))
    equal(inside, 4)
end

function tests.reports()
    local parts = {}
    local r = ml.assert(ml.report("A report"))
    ml.assert(r:add_profile("Data", small_table()))
    ml.assert(r:add_model("Model", linear_model(), small_table()))
    ml.assert(r:save_io(function(part) parts[#parts + 1] = part end))
    check(table.concat(parts):find("A report"))
end

function tests.contexts()
    local c = ml.assert(ml.context({ threads = 2 }))
    equal(c:info():match('"threads": *(%d+)'), "2")
    c:set_threads(1)
    equal(c:info():match('"threads": *(%d+)'), "1")
    local t = c:table({ x = { 1, 2, 3 }, y = { 1, 2, 3 } })
    local m = c:estimator("linear_regression", { target = "y" }):fit(t)
    c:free()
    near(m:predictor():row({ 4 })[1], 4, 1e-9)
    raises("freed", c.info, c)
    raises("no option", ml.context, { thread = 1 })
    check(ml.info():find("{"))
    check(ml.info():find('"build"'))
end

-- ---- callbacks ----

function tests.progress()
    local e = ml.gbdt({ target = "y", n_trees = 6, min_data_in_leaf = 1 })
    local steps, last = 0, -1
    local m = ml.assert(e:fit(small_table(), nil, function(p)
        steps = steps + 1
        check(p.fraction >= last and p.fraction <= 1, "progress is monotone")
        last = p.fraction
        equal(type(p.stage), "string")
        equal(p.trial, nil)
    end))
    check(steps > 0, "progress is reported")
    local full = #m:bytes()
    local stopped = ml.assert(e:fit(small_table(), nil, function(p)
        return p.step >= 2 and "stop" or "continue"
    end))
    check(#stopped:bytes() < full, "stopped early")
    fails("ML_E_CANCELLED", ".", e:fit(small_table(), nil, function() return "cancel" end))
    local err = fails("ML_E_CALLBACK", "raised an error: .*oh no",
                      e:fit(small_table(), nil, function() error("oh no") end))
    check(tostring(err.cause):find("oh no"))
    local thing = { 1 }
    err = fails("ML_E_CALLBACK", "raised an error",
                e:fit(small_table(), nil, function() error(thing) end))
    equal(err.cause, thing)
    fails("ML_E_CALLBACK", "answers", e:fit(small_table(), nil, function() return "yes" end))
    raises("function expected", e.fit, e, small_table(), nil, 5)
    check(e:fit(small_table()), "the estimator is as it was")
end

function tests.objectives()
    local e = ml.gbdt({ target = "y", n_trees = 30, min_data_in_leaf = 1, learning_rate = 0.5,
                        min_gain_ratio = 0 })
    local rounds, progress = 0, 0
    equal(e:set_objective(function(round)
        rounds = rounds + 1
        equal(round.rows, 8)
        equal(#round.scores, 8 * round.outputs)
        squared(round)
    end), e)
    equal(e:params().objective, "custom")
    local m = ml.assert(e:fit(small_table(), nil, function() progress = progress + 1 end))
    check(rounds >= 30 and progress > 0)
    near(m:predict(small_table()):get(8, 1), 16.5, 0.1)
    check(e:clone():fit(small_table()):bytes() == m:bytes(), "a copy has the function")
    local watched = 0
    ml.assert(e:set_metric(function(round)
        watched = watched + 1
        equal(round.gradients, nil)
        return watched
    end, false))
    ml.assert(e:set({ early_stopping_rounds = 3 }))
    local stopped = ml.assert(e:fit(small_table(), small_table()))
    equal(stopped:attribute("n_rounds"), 1)
    ml.assert(e:set_metric(function() return "much" end))
    fails("ML_E_CALLBACK", "gives a number", e:fit(small_table(), small_table()))
    ml.assert(e:set_objective(function() error("no gradient") end))
    local err = fails("ML_E_CALLBACK", "no gradient", e:fit(small_table()))
    check(tostring(err.cause):find("no gradient"))
    ml.assert(e:set_objective(function() end))
    fails("ML_E_CALLBACK", "the gradient nan", e:fit(small_table()))
    ml.assert(e:set_objective(function(round) round.gradients[999] = 1 end))
    fails("ML_E_CALLBACK", "outside", e:fit(small_table()))
    ml.assert(e:set_objective(function(round) round.hessians = ml.vector(2) end))
    fails("ML_E_CALLBACK", "hessians is no vector of 8", e:fit(small_table()))
    raises("a function is expected", e.set_objective, e, 5)
    fails("ML_E_UNSUPPORTED", ".", ml.linear_regression({ target = "y" })
          :set_objective(squared))
end

function tests.callbacks_that_interfere()
    local e = ml.gbdt({ target = "y", n_trees = 4, min_data_in_leaf = 1 })
    local t = small_table()
    local function during(f)
        return e:fit(t, nil, function() f() end)
    end
    fails("ML_E_CALLBACK", "in use", during(function() e:free() end))
    fails("ML_E_CALLBACK", "in use", during(function() t:free() end))
    fails("ML_E_CALLBACK", "in use", during(function() e:set("n_trees", 2) end))
    local inner
    ml.assert(during(function()
        inner = linear_model() -- another fit, with libml's errors of its own
        ml.load_bytes("no model")
        collectgarbage()
    end))
    equal(inner:algorithm(), "linear_regression")
    fails("ML_E_CALLBACK", "yield", coroutine.wrap(function()
        return during(function() coroutine.yield() end)
    end)())
    local reading = 0
    fails("ML_E_CALLBACK", "no more", ml.read_csv_io(function()
        reading = reading + 1
        if reading > 1 then error("no more") end
        return "a,b\n1,2\n"
    end))
    fails("ML_E_CALLBACK", "gives texts", ml.read_csv_io(function() return {} end))
    raises("function expected", ml.read_csv_io, "text")
    local m = coroutine.wrap(function()
        return e:fit(t, nil, function(p) return p.step >= 1 and "stop" or "continue" end)
    end)()
    equal(ml.type(m), "model")
end

function tests.cancel_tokens()
    local token = ml.cancel()
    local e = ml.gbdt({ target = "y", n_trees = 50, min_data_in_leaf = 1 })
    equal(token:state(), "continue")
    token:request()
    equal(token:state(), "cancel")
    e:set_cancel(token)
    fails("ML_E_CANCELLED", ".", e:fit(small_table()))
    token:request("continue")
    check(e:fit(small_table()))
    token:set_deadline(0, "cancel")
    fails("ML_E_CANCELLED", ".", e:fit(small_table()))
    raises("a mode is", token.request, token, "now")
    e:set_cancel(nil)
    check(e:fit(small_table()))
end

-- ---- handles ----

-- One of each type.
local function zoo()
    local t = small_table()
    local e = ml.linear_regression({ target = "y" })
    local m = linear_model()
    return {
        context = ml.context(), cancel = ml.cancel(), schema = ml.schema("gbdt"),
        params = ml.params(), tensor = ml.tensor({ 1 }), table = t, estimator = e, model = m,
        predictor = m:predictor(), report = ml.report("r"),
        study = ml.study(ml.gbdt({ target = "y" }), t, { tune = { "learning_rate" } }),
    }
end

function tests.types()
    local things = zoo()
    for kind, thing in pairs(things) do
        equal(ml.type(thing), kind)
        equal(tostring(thing), "libml." .. kind)
    end
    equal(ml.type(5), nil)
    equal(ml.type(nil), nil)
    equal(ml.type(io.stdout), nil)
    equal(ml.type({}), nil)
end

-- Every method of every type, with nothing, with a foreign value, and with handles of
-- every other type, is refused with an error that says so.
function tests.handles_of_other_types()
    local things = zoo()
    local wrong = { 5, "text", true, {}, print, io.stdout, ml.vector(2) }
    for kind, thing in pairs(things) do
        for _, method in ipairs(ml.methods(kind)) do
            local f = method == "alive" and thing.free or thing[method]
            raises("expected", f)
            raises("expected", f, kind == "table" and things.model or things.table)
        end
        for other, value in pairs(things) do
            if other ~= kind then
                raises(kind .. " expected, got " .. other, thing.free, value)
            end
        end
        for _, value in ipairs(wrong) do raises(kind .. " expected", thing.free, value) end
        raises(kind .. " expected", thing.free)
    end
    raises("table expected, got tensor", things.estimator.fit, things.estimator, things.tensor)
    raises("table expected, got nil", things.estimator.fit, things.estimator)
    raises("table expected, got a Lua table; ml.table makes one", things.estimator.fit,
           things.estimator, { x = { 1, 2 } })
    raises("model expected, got table", things.report.add_model, things.report, "m",
           things.table)
    raises("vector expected, got tensor", things.predictor.row, things.predictor,
           things.tensor)
    raises("predictor expected, got model", things.predictor.row, things.model, { 1 })
    raises("vector expected", things.predictor.rows, things.predictor, { 1 })
    raises("cancel expected, got context", things.estimator.set_cancel, things.estimator,
           things.context)
    raises("number expected", things.context.set_threads, things.context, "two")
    raises("whole number", things.context.set_threads, things.context, 1.5)
    raises("too large", things.context.set_threads, things.context, 2 ^ 40)
end

-- libml.d.lua tells editors of every method there is, and of no other.
function tests.annotations()
    local file = io.open(root .. "/bindings/lua/libml.d.lua")
    local text = file:read("*a")
    file:close()
    for kind in pairs(zoo()) do
        local there, told = table.concat(ml.methods(kind), " "), {}
        for name in text:gmatch("\nfunction " .. kind .. ":(%w[%w_]*)%(") do
            told[#told + 1] = name
        end
        table.sort(told)
        equal(table.concat(told, " "), there)
    end
    local told = {}
    for name in text:gmatch("\nfunction ml%.([%w_]+)%(") do
        told[name] = true
        equal(type(ml[name]), "function")
    end
    for name, value in pairs(ml) do
        check(type(value) ~= "function" or told[name], name .. " has no annotation")
    end
end

-- The rockspec lists every source of the C module and has the library's version.
function tests.rockspec()
    local folder = root .. "/bindings/lua/"
    local spec, file = {}, io.open(folder .. "libml-0.1.0-1.rockspec")
    local run = (loadstring or load)(file:read("*a"), "rockspec", "t", spec)
    file:close()
    if setfenv then setfenv(run, spec) end
    run()
    local version = ml._VERSION:match("[%d.]+")
    check(spec.version:find(version .. "-", 1, true) == 1)
    check(spec.source.tag == "v" .. version)
    file = io.open(folder .. "meson.build")
    local built = file:read("*a"):match("lua_sources = files%((.-)%)")
    file:close()
    local sources = {}
    for name in built:gmatch("'([^']+)'") do sources[#sources + 1] = "bindings/lua/" .. name end
    local listed = spec.build.modules.libml.sources
    table.sort(sources)
    table.sort(listed)
    equal(table.concat(listed, " "), table.concat(sources, " "))
end

function tests.freed_handles()
    for kind, thing in pairs(zoo()) do
        thing:free()
        thing:free()
        equal(tostring(thing), "libml." .. kind .. " (freed)")
    end
    local things = zoo()
    for _, thing in pairs(things) do thing:free() end
    raises("this table is freed", things.table.rows, things.table)
    raises("this model is freed", things.model.predictor, things.model)
    raises("this predictor is freed", things.predictor.row, things.predictor, { 1 })
    raises("this estimator is freed", things.estimator.fit, things.estimator, small_table())
    raises("this study is freed", things.study.run, things.study)
    raises("this tensor is freed", things.tensor.get, things.tensor, 1)
    local e = ml.linear_regression({ target = "y", ignore = "color" })
    raises("this table is freed", e.fit, e, things.table)
    local m = linear_model()
    local p = m:predictor()
    m:free() -- the predictor keeps what it needs
    collectgarbage()
    near(p:row({ x = 4 })[1], 8.5, 1e-9)
end

function tests.collection()
    for _ = 1, 20 do
        local t = small_table()
        local p = linear_model():predictor()
        t, p = nil, nil
        collectgarbage()
    end
    equal(raises("is freed", small_table().rows, (function()
        local t = small_table()
        t:free()
        return t
    end)()) ~= nil, true)
    local load = loadstring or load
    local closing = _VERSION == "Lua 5.4" and load([[
        local make = ...
        local seen
        do
            local t <close> = make()
            seen = t
        end
        return tostring(seen)
    ]])
    if closing then equal(closing(small_table), "libml.table (freed)") end
end

-- ---- run ----

local only = arg[2]
for _, name in ipairs(order) do
    if not only or name == only then
        local done, err = xpcall(tests[name], debug.traceback)
        if not done then
            failed = failed + 1
            print(name .. ": " .. tostring(err))
        end
    end
end
ml, tests = nil, nil
collectgarbage()
print(("%d passed, %d failed"):format(passed, failed))
if failed > 0 then os.exit(1) end
