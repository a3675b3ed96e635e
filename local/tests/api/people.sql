INSERT INTO "User" ("id", "email", "password", "role", "updatedAt") VALUES
    ('owner', 'owner@example.com', '', 'USER', now()),
    ('other', 'other@example.com', '', 'USER', now()),
    ('viewer', 'viewer@example.com', '', 'USER', now()),
    ('editor', 'editor@example.com', '', 'USER', now()),
    ('admin', 'admin@example.com', '', 'ADMIN', now());
INSERT INTO "Project" ("id", "userId", "name") VALUES
    ('p1', 'owner', 'One'), ('p2', 'owner', 'Two'), ('p3', 'owner', 'Three'), ('q1', 'other', 'Else');
